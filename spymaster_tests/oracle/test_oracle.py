"""What each record does to the book, worked out by hand: adds, pulls, fills, refills, reprices, queues, odd records.

Every stream starts from the same small book, loaded by a snapshot an hour old, so that its orders are resting:

    bids  100 x 5 (order 1), 99 x 7 (order 2)          asks  101 x 4 (order 3), 103 x 2 (order 4)
"""

from __future__ import annotations

from spymaster_tests.oracle.tape import Tape

BOOK = ((1, "B", 100, 5), (2, "B", 99, 7), (3, "A", 101, 4), (4, "A", 103, 2))


def live() -> Tape:
    """The small book, and the clock started at second 0 by a record that changes nothing."""
    return Tape().at(-100).snapshot(*BOOK).at(0.0).nothing()


class TestPullsAndFills:
    def test_a_cancel_without_a_fill_is_a_pull(self) -> None:
        tables = live().at(0.2).cancel(1, "B", 100, 5).tables()
        assert tables.flows(0, "B", 100) == {"pull": 5, "pull_rest": 5}

    def test_a_trade_and_a_fill_alone_change_nothing(self) -> None:
        tables = live().at(0.2).trade("B", 101, 3).fill(3, "A", 101, 3, last=True).tables()
        assert tables.flows(0, "A", 101) == {}
        assert tables.second(0)["best_ask_qty"] == 4
        assert tables.second(0)["buy_volume"] == 3

    def test_a_cancel_after_a_fill_of_the_whole_order_is_a_fill(self) -> None:
        tables = live().at(0.2).trade("B", 101, 4).fill(3, "A", 101, 4).cancel(3, "A", 101, 4).tables()
        assert tables.flows(0, "A", 101) == {"fill": 4}
        assert tables.second(0)["best_ask_price_int"] == 103

    def test_a_modify_down_after_a_partial_fill_is_a_fill_and_keeps_the_rest(self) -> None:
        tables = live().at(0.2).trade("B", 101, 3).fill(3, "A", 101, 3).modify(3, "A", 101, 1).tables()
        assert tables.flows(0, "A", 101) == {"fill": 3}
        assert tables.second(0)["best_ask_qty"] == 1

    def test_a_cancel_of_more_than_was_filled_is_part_fill_part_pull(self) -> None:
        """4 rest, 1 filled, the whole order leaves: 1 fill and 3 pulled, resting."""
        tables = live().at(0.2).trade("B", 101, 1).fill(3, "A", 101, 1).cancel(3, "A", 101, 4).tables()
        assert tables.flows(0, "A", 101) == {"pull": 3, "pull_rest": 3, "fill": 1}

    def test_a_partial_cancel_leaves_the_rest_and_its_priority(self) -> None:
        tables = live().at(0.2).cancel(2, "B", 99, 3).tables()
        row = tables.cell(0, "B", 99)
        assert row is not None
        assert (row["depth_qty_end"], row["order_count_end"], row["depth_qty_rest"]) == (4, 1, 4)
        assert tables.flows(0, "B", 99) == {"pull": 3, "pull_rest": 3}

    def test_a_cancel_of_more_than_rests_takes_what_rests(self) -> None:
        assert live().at(0.2).cancel(1, "B", 100, 50).tables().flows(0, "B", 100) == {"pull": 5, "pull_rest": 5}

    def test_what_a_fill_reported_waits_for_the_book_change_of_a_later_event(self) -> None:
        tape = live().at(0.2).trade("B", 101, 3).fill(3, "A", 101, 3, last=True)
        tables = tape.at(1.4).cancel(3, "A", 101, 4).tables()
        assert tables.flows(1, "A", 101) == {"pull": 1, "pull_rest": 1, "fill": 3}

    def test_what_fills_reported_adds_up_and_is_capped_at_the_order_size(self) -> None:
        """F 3 and F 3 on an order of 4: 4 pending. The M to 1 is then a refill of 1 from nothing."""
        tape = live().at(0.2).trade("B", 101, 6).fill(3, "A", 101, 3).fill(3, "A", 101, 3)
        assert tape.modify(3, "A", 101, 1).tables().flows(0, "A", 101) == {"add": 1, "fill": 4, "refill": 1}

    def test_a_book_change_uses_up_what_a_fill_reported(self) -> None:
        """After F 3 and C 1 nothing is pending any more: the next C of 3 is a pull."""
        tape = live().at(0.2).trade("B", 101, 3).fill(3, "A", 101, 3).cancel(3, "A", 101, 1)
        tables = tape.at(1.2).cancel(3, "A", 101, 3).tables()
        assert tables.flows(0, "A", 101) == {"fill": 1}
        assert tables.flows(1, "A", 101) == {"pull": 3, "pull_rest": 3}


class TestModify:
    def test_a_size_increase_is_an_add_and_loses_priority(self) -> None:
        """Order 5 stands behind order 1 until 1 grows; a fill of 5 is then at the front."""
        tape = live().at(0.1).add(5, "B", 100, 1).at(0.2).modify(1, "B", 100, 8)
        tables = tape.at(0.3).trade("A", 100, 1).fill(5, "B", 100, 1).cancel(5, "B", 100, 1).tables()
        assert tables.flows(0, "B", 100) == {"add": 1 + 3, "fill": 1}
        assert tables.counters() == {"fifo_known_fills": 1, "fifo_front_fills": 1}

    def test_a_size_increase_starts_the_resting_age_again(self) -> None:
        """Grown at 0.6 s, the order is 0.4 s old at the end of the second: nothing rests; a second later all does."""
        tables = live().at(0.6).modify(1, "B", 100, 8).at(1.5).nothing().tables()
        rest = [(tables.cell(second, "B", 100) or {})["depth_qty_rest"] for second in (0, 1)]
        assert rest == [0, 8]

    def test_a_size_decrease_is_a_pull_and_keeps_priority_and_age(self) -> None:
        tape = live().at(0.1).add(5, "B", 100, 1).at(0.9).modify(1, "B", 100, 2)
        tables = tape.at(0.95).trade("A", 100, 1).fill(5, "B", 100, 1, last=True).tables()
        row = tables.cell(0, "B", 100)
        assert row is not None
        assert row["depth_qty_rest"] == 3  # 2 of the old order, and the 1 that came 0.9 s before the end
        assert tables.flows(0, "B", 100) == {"add": 1, "pull": 3, "pull_rest": 3}
        assert tables.counters() == {"fifo_known_fills": 1}  # order 1 is still ahead of 5

    def test_a_modify_that_changes_nothing_is_nothing(self) -> None:
        tables = live().at(0.2).modify(1, "B", 100, 5).tables()
        assert tables.flows(0, "B", 100) == {}

    def test_a_price_change_is_a_pull_at_the_old_and_an_add_at_the_new_price(self) -> None:
        tables = live().at(0.2).modify(1, "B", 98, 6).tables()
        assert tables.flows(0, "B", 100) == {"pull": 5, "pull_rest": 5, "away": 5}
        assert tables.flows(0, "B", 98) == {"add": 6}

    def test_bids_move_away_downwards_and_asks_upwards(self) -> None:
        tape = live().at(0.2).modify(2, "B", 100, 7).modify(4, "A", 102, 2).at(1.0).modify(3, "A", 105, 4)
        tables = tape.tables()
        assert tables.flows(0, "B", 99) == {"pull": 7, "pull_rest": 7, "toward": 7}
        assert tables.flows(0, "A", 103) == {"pull": 2, "pull_rest": 2, "toward": 2}
        assert tables.flows(1, "A", 101) == {"pull": 4, "pull_rest": 4, "away": 4}

    def test_only_a_resting_order_counts_as_repriced(self) -> None:
        """Order 2 moves to 98 and back to 97 within 0.4 s: the second time it is too young."""
        tables = live().at(0.2).modify(2, "B", 98, 7).at(0.6).modify(2, "B", 97, 7).tables()
        assert tables.flows(0, "B", 99) == {"pull": 7, "pull_rest": 7, "away": 7}
        assert tables.flows(0, "B", 98) == {"add": 7, "pull": 7}

    def test_half_a_second_to_the_nanosecond_is_resting(self) -> None:
        tables = live().at(0.2).modify(2, "B", 98, 7).at(0.7).modify(2, "B", 97, 7).tables()
        assert tables.flows(0, "B", 98) == {"add": 7, "pull": 7, "pull_rest": 7, "away": 7}

    def test_a_price_change_of_a_partly_filled_order_pulls_only_what_was_left(self) -> None:
        tape = live().at(0.2).trade("B", 101, 1).fill(3, "A", 101, 1).modify(3, "A", 102, 3)
        tables = tape.tables()
        assert tables.flows(0, "A", 101) == {"pull": 3, "pull_rest": 3, "fill": 1, "away": 3}
        assert tables.flows(0, "A", 102) == {"add": 3}

    def test_a_refill_is_an_add_counted_twice_over_and_goes_to_the_back(self) -> None:
        """Iceberg 3 shows 4, all filled, comes back with 4. Order 6, behind it before, is at the front after."""
        tape = live().at(0.1).add(6, "A", 101, 1)
        tape.at(0.2).trade("B", 101, 4).fill(3, "A", 101, 4).modify(3, "A", 101, 4)
        tables = tape.at(0.3).trade("B", 101, 1).fill(6, "A", 101, 1).cancel(6, "A", 101, 1).tables()
        assert tables.flows(0, "A", 101) == {"add": 1 + 4, "fill": 4 + 1, "refill": 4}
        assert tables.counters() == {"fifo_known_fills": 2, "fifo_front_fills": 2}

    def test_a_modify_to_above_what_is_left_is_a_refill_even_below_the_old_size(self) -> None:
        """4 shown, 3 filled, 1 left; an M to 2 refills 1."""
        tape = live().at(0.2).trade("B", 101, 3).fill(3, "A", 101, 3).modify(3, "A", 101, 2)
        assert tape.tables().flows(0, "A", 101) == {"add": 1, "fill": 3, "refill": 1}

    def test_a_modify_to_zero_removes_the_order(self) -> None:
        tables = live().at(0.2).modify(1, "B", 100, 0).tables()
        assert tables.flows(0, "B", 100) == {"pull": 5, "pull_rest": 5}
        assert tables.second(0)["best_bid_price_int"] == 99

    def test_a_change_of_side_is_a_pull_and_an_add_but_no_reprice_at_the_same_price(self) -> None:
        tables = live().at(0.2).modify(4, "B", 103, 2).tables()
        assert tables.flows(0, "A", 103) == {"pull": 2, "pull_rest": 2}
        assert tables.flows(0, "B", 103) == {"add": 2}
        assert tables.second(0)["crossed"]


class TestOddRecords:
    def test_an_unknown_cancel_is_counted_and_has_no_effect(self) -> None:
        tables = live().at(0.2).cancel(77, "B", 100, 5).tables()
        assert tables.counters() == {"unknown_cancel": 1}
        assert tables.flows(0, "B", 100) == {}

    def test_an_unknown_modify_is_an_add(self) -> None:
        tables = live().at(0.2).modify(77, "B", 98, 3).tables()
        assert tables.counters() == {"modify_as_add": 1}
        assert tables.flows(0, "B", 98) == {"add": 3}

    def test_a_duplicate_add_replaces_the_order(self) -> None:
        """4 rest, 1 filled: 3 pulled, 1 fill, and the new order of 6 a tick higher."""
        tape = live().at(0.2).trade("B", 101, 1).fill(3, "A", 101, 1).add(3, "A", 102, 6)
        tables = tape.tables()
        assert tables.counters() == {"duplicate_add": 1, "fifo_known_fills": 1, "fifo_front_fills": 1}
        assert tables.flows(0, "A", 101) == {"pull": 3, "pull_rest": 3, "fill": 1}
        assert tables.flows(0, "A", 102) == {"add": 6}

    def test_a_fill_of_an_unknown_order_is_counted_and_ignored(self) -> None:
        tables = live().at(0.2).trade("B", 101, 1).fill(77, "A", 101, 1, last=True).tables()
        assert tables.counters() == {"fill_unknown": 1}
        assert tables.rows("trade")[0]["n_fills"] == 1

    def test_a_fill_over_the_resting_size_is_counted_and_capped(self) -> None:
        tape = live().at(0.2).trade("B", 101, 9).fill(3, "A", 101, 9).modify(3, "A", 101, 2)
        tables = tape.tables()
        assert tables.counters() == {"fill_over_size": 1, "fifo_known_fills": 1, "fifo_front_fills": 1}
        assert tables.flows(0, "A", 101) == {"add": 2, "fill": 4, "refill": 2}

    def test_a_fill_acts_on_the_order_it_names_whatever_price_and_side_it_carries(self) -> None:
        """Auction fills carry the auction price and side N."""
        tape = live().at(0.2).trade("N", 102, 4, order_id=0).fill(3, "N", 102, 4).cancel(3, "A", 101, 4)
        assert tape.tables().flows(0, "A", 101) == {"fill": 4}

    def test_a_top_of_book_add_replaces_its_side_only(self) -> None:
        tape = live().at(0.2).top_of_book("B", 100, 9).top_of_book("A", 102, 8).at(1.0).top_of_book("B", None, 0)
        tables = tape.tables()
        assert tables.flows(0, "B", 100) == {"add": 9, "pull": 5, "pull_rest": 5}
        assert tables.flows(0, "B", 99) == {"pull": 7, "pull_rest": 7}
        assert (tables.second(0)["best_ask_price_int"], tables.second(0)["best_ask_qty"]) == (102, 8)
        assert tables.second(1)["best_bid_price_int"] is None
        assert tables.second(1)["best_ask_qty"] == 8

    def test_a_clear_pulls_everything_even_what_a_fill_had_reported(self) -> None:
        tape = live().at(0.1).add(5, "B", 100, 1).at(0.2).trade("B", 101, 1).fill(3, "A", 101, 1, last=True)
        tables = tape.at(0.3).clear().at(1.0).add(9, "B", 98, 1).tables()
        # the trade at 101 is spot; order 5 was 0.2 s old
        assert tables.flows(0, "B", 100) == {"add": 1, "pull": 6, "pull_rest": 5}
        assert tables.flows(0, "A", 101) == {"pull": 4, "pull_rest": 4}
        assert tables.column("best_ask_qty") == [None, None]

    def test_another_instruments_records_are_not_seen(self) -> None:
        array = live().at(0.2).cancel(1, "B", 100, 5).array()
        array["instrument_id"][-1] = 8
        from spymaster_tests.oracle.book import replay

        assert replay(array, instrument_id=7, tick_size_int=1).ledger.levels("B") == [
            (25_000_000_000, 5, 1),
            (24_750_000_000, 7, 1),
        ]


class TestQueues:
    """FIFO: a fill is at the front when all orders ahead of it are named by an F of the same event too."""

    def three_in_a_row(self) -> Tape:
        return live().at(0.1).add(5, "A", 101, 1).add(6, "A", 101, 1)

    def test_a_sweep_in_order_is_at_the_front_throughout(self) -> None:
        tape = self.three_in_a_row().at(0.2).trade("B", 101, 6)
        tape.fill(3, "A", 101, 4).fill(5, "A", 101, 1).fill(6, "A", 101, 1)
        tables = tape.cancel(3, "A", 101, 4).tables()
        assert tables.counters() == {"fifo_known_fills": 3, "fifo_front_fills": 3}

    def test_the_order_of_the_fills_within_an_event_does_not_matter(self) -> None:
        tape = self.three_in_a_row().at(0.2).trade("B", 101, 6)
        tape.fill(6, "A", 101, 1).fill(5, "A", 101, 1).fill(3, "A", 101, 4)
        tables = tape.cancel(3, "A", 101, 4).tables()
        assert tables.counters() == {"fifo_known_fills": 3, "fifo_front_fills": 3}

    def test_an_order_that_was_passed_over_puts_all_behind_it_out_of_order(self) -> None:
        """3 is filled, 5 is not even though it left in the same event, 6 is: only the fill of 3 is in order."""
        tape = self.three_in_a_row().at(0.2).trade("B", 101, 5).fill(3, "A", 101, 4).fill(6, "A", 101, 1)
        tables = tape.cancel(3, "A", 101, 4, last=False).cancel(5, "A", 101, 1).tables()
        assert tables.counters() == {"fifo_known_fills": 2, "fifo_front_fills": 1}

    def test_a_fill_of_an_earlier_event_does_not_count(self) -> None:
        tape = self.three_in_a_row().at(0.2).trade("B", 101, 1).fill(3, "A", 101, 1, last=True)
        tables = tape.at(0.3).trade("B", 101, 1).fill(5, "A", 101, 1, last=True).tables()
        assert tables.counters() == {"fifo_known_fills": 2, "fifo_front_fills": 1}
