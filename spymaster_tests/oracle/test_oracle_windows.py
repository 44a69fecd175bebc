"""When things happen and when they are to be believed, worked out by hand: windows, spot, snapshots, validity."""

from __future__ import annotations

import math

from spymaster_tests.oracle.tape import Tape

BOOK = ((1, "B", 100, 5), (2, "B", 99, 7), (3, "A", 101, 4), (4, "A", 103, 2))


def live() -> Tape:
    return Tape().at(-100).snapshot(*BOOK).at(0.0).nothing()


class TestWindows:
    def test_every_second_from_the_first_to_the_last_live_record_has_a_row(self) -> None:
        """The snapshot 100 s earlier starts no clock."""
        tables = Tape().at(-100).snapshot(*BOOK).at(2.5).add(9, "B", 98, 1).at(5.0).nothing().tables()
        assert tables.seconds == [2, 3, 4, 5]
        assert tables.column("message_count") == [1, 0, 0, 0]
        assert tables.column("is_partial") == [False, False, False, True]

    def test_a_window_starts_at_its_first_and_ends_before_its_last_nanosecond(self) -> None:
        tape = live().at(0.999_999_999).add(8, "B", 98, 1).at(1.0).add(9, "B", 97, 1)
        tables = tape.tables()
        assert tables.flows(0, "B", 98) == {"add": 1}
        assert tables.flows(0, "B", 97) == {}
        assert tables.flows(1, "B", 97) == {"add": 1}

    def test_an_event_belongs_to_the_window_of_its_first_record(self) -> None:
        """The second record comes 0.2 s later, in the next second: it is not split off, and no second is added."""
        tables = live().at(0.9).add(8, "B", 98, 1, last=False).at(1.1).add(9, "B", 97, 1).tables()
        assert tables.seconds == [0]
        assert tables.flows(0, "B", 97) == {"add": 1}

    def test_a_record_that_only_closes_an_event_is_not_a_message(self) -> None:
        joined = live().at(0.2).cancel(1, "B", 100, 5).tables()
        apart = live().at(0.2).cancel(1, "B", 100, 5, last=False).nothing().tables()
        for name in ("book_snapshot_1s", "wall_surface_1s", "trade", "bbo_change", "counters"):
            assert joined[name].equals(apart[name]), name
        assert joined.column("message_count") == [1]

    def test_an_event_left_open_at_the_end_of_the_file_counts(self) -> None:
        tables = live().at(0.2).cancel(1, "B", 100, 5, last=False).tables()
        assert tables.second(0)["best_bid_price_int"] == 99

    def test_a_stream_without_live_records_has_no_rows(self) -> None:
        tables = Tape().at(0).snapshot(*BOOK).tables()
        assert [tables[name].height for name in ("book_snapshot_1s", "wall_surface_1s", "trade", "bbo_change")] == [
            0
        ] * 4

    def test_a_sequence_that_falls_is_a_gap_and_one_that_jumps_ahead_is_not(self) -> None:
        tape = live()
        tape.sequence += 1000
        tape.at(1.0).nothing()
        tape.sequence = 3
        tables = tape.at(2.0).nothing().at(3.0).nothing().tables()
        assert tables.column("sequence_gap") == [False, False, True, False]
        assert tables.counters() == {"sequence_gaps": 1}


class TestPrices:
    def test_best_mid_micro_and_spread(self) -> None:
        """100 x 5 / 101 x 4: mid 100.5 ticks = 25.125; micro leans to the thinner side: (100*4 + 101*5)/9 ticks."""
        row = live().tables().second(0)
        assert (row["best_bid_price_int"], row["best_bid_qty"], row["best_bid_orders"]) == (100, 5, 1)
        assert (row["best_ask_price_int"], row["best_ask_qty"], row["best_ask_orders"]) == (101, 4, 1)
        assert row["mid_price"] == 25.125
        assert row["mid_price_int"] == 25_125_000_000 // 250_000_000
        assert math.isclose(row["micro_price"], (100 * 4 + 101 * 5) / 9 * 0.25)
        assert row["spread_ticks"] == 1

    def test_an_empty_side_gives_nulls_not_zeros(self) -> None:
        tape = live().at(0.5).cancel(3, "A", 101, 4).cancel(4, "A", 103, 2)
        row = tape.tables().second(0)
        names = ("best_ask_price_int", "best_ask_qty", "best_ask_orders", "mid_price", "mid_price_int", "micro_price")
        assert [row[name] for name in (*names, "spread_ticks")] == [None] * 7
        assert row["best_bid_qty"] == 5

    def test_spot_is_the_best_bid_until_the_first_trade_and_then_the_last_trade(self) -> None:
        tape = live().at(1.5).trade("B", 101, 1, last=True).at(2.0).trade("N", 102, 1, order_id=0, last=True)
        tables = tape.at(3.0).nothing().tables()
        assert tables.column("spot_ref_price_int") == [100, 101, 102, 102]
        assert tables.column("last_trade_price_int") == [None, 101, 102, 102]
        assert tables.column("spot_age_s") == [None, 0.5, 1.0, 2.0]

    def test_without_a_valid_book_there_is_no_spot_before_the_first_trade_and_no_wall(self) -> None:
        tables = Tape().at(0.0).add(1, "B", 100, 5).at(1.0).trade("B", 101, 1, last=True).tables()
        assert tables.column("spot_ref_price_int") == [None, 101]
        assert tables.cell(0, "B", 100) is None
        assert tables.cell(1, "B", 100) is not None

    def test_trade_open_high_low_are_those_of_the_window(self) -> None:
        tape = live().at(0.1)
        for ticks in (102, 105, 99, 101):
            tape.trade("B", ticks, 1, last=True)
        tables = tape.at(1.0).nothing().tables()
        row = tables.second(0)
        assert [row[f"trade_{name}_price_int"] for name in ("open", "high", "low")] == [102, 105, 99]
        assert row["trade_count"] == 4
        assert tables.second(1)["trade_open_price_int"] is None

    def test_volume_is_told_apart_by_aggressor(self) -> None:
        tape = live().at(0.1).trade("B", 101, 3, last=True).trade("A", 100, 2, last=True)
        row = tape.trade("N", 100, 7, order_id=0, last=True).tables().second(0)
        assert (row["buy_volume"], row["sell_volume"], row["none_volume"]) == (3, 2, 7)

    def test_crossed_is_seen_at_the_close_of_events_only(self) -> None:
        """Second 0: crossed inside an event, not at its close. Second 1: crossed. Second 2: no event. 3: uncrossed."""
        tape = live().at(0.1).add(8, "B", 102, 1, last=False).cancel(8, "B", 102, 1)
        tape.at(1.1).add(9, "B", 101, 1).at(3.1).cancel(9, "B", 101, 1)
        tables = tape.tables()
        assert tables.column("crossed") == [False, True, False, False]
        assert tables.counters() == {"crossed_events": 1}
        assert tables.second(1)["spread_ticks"] == 0


class TestValidity:
    def test_live_after_a_complete_snapshot_is_valid_from_the_first_window(self) -> None:
        for closed in (True, False):
            tape = Tape().at(-100).snapshot(*BOOK, closed=closed).at(0.5).nothing()
            row = tape.tables().second(0)
            assert (row["book_state"], row["book_valid"], row["window_valid"]) == ("live", True, True), closed

    def test_a_file_that_starts_mid_session_is_never_valid(self) -> None:
        tables = Tape().at(0.5).add(1, "B", 100, 5).at(1.5).nothing().tables()
        assert tables.column("book_state") == ["live", "live"]
        assert tables.column("book_valid") == [False, False]

    def test_a_clear_makes_the_book_valid_but_not_its_own_window(self) -> None:
        tables = Tape().at(0.5).clear().at(1.5).nothing().tables()
        assert tables.column("book_valid") == [True, True]
        assert tables.column("window_valid") == [False, True]

    def test_a_closed_snapshot_in_the_stream_replaces_the_book_in_its_window(self) -> None:
        """100 x 5 becomes 100 x 6 (5 pulled, 6 added), 99 and 103 go; only that second is not valid."""
        tape = live().at(1.2).snapshot((1, "B", 100, 6), (3, "A", 101, 4)).at(3.0).nothing()
        tables = tape.tables()
        assert tables.column("window_valid") == [True, False, True, True]
        assert tables.column("book_valid") == [True] * 4
        assert tables.flows(1, "B", 100) == {"add": 6, "pull": 5, "pull_rest": 5}
        assert tables.flows(1, "B", 99) == {"pull": 7, "pull_rest": 7}
        assert tables.counters() == {}  # neither a duplicate add nor anything else odd

    def test_snapshot_orders_are_as_old_as_they_say(self) -> None:
        tables = Tape().at(-1).snapshot(*BOOK).at(0.0).nothing().tables()
        assert (tables.cell(0, "B", 100) or {})["depth_qty_rest"] == 5

    def test_an_open_snapshot_lasts_until_the_next_live_record(self) -> None:
        """Taken at 1.2 s, ended by the record at 3.5 s. The book was not valid at the start of second 3."""
        tables = live().at(1.2).snapshot(*BOOK, closed=False).at(3.5).nothing().at(4.5).nothing().tables()
        assert tables.column("book_state") == ["live", "snapshot", "snapshot", "live", "live"]
        assert tables.column("book_valid") == [True, False, False, True, True]
        assert tables.column("window_valid") == [True, False, False, False, True]

    def test_a_snapshot_at_the_end_extends_the_windows_and_one_from_the_past_does_not_turn_back_the_clock(self) -> None:
        tables = live().at(2.5).nothing().at(1.0).snapshot(*BOOK).at(4.0).snapshot(*BOOK).tables()
        assert tables.seconds == [0, 1, 2, 3, 4]
        assert tables.column("window_valid") == [True, True, False, True, False]

    def test_two_snapshots_in_a_row_do_not_duplicate_orders(self) -> None:
        """Two day files in a row: the first ends with F_LAST, the second is open. Id 2 is only in the first."""
        second_day = ((1, "B", 100, 5), (3, "A", 101, 4))
        tables = Tape().at(-200).snapshot(*BOOK).at(-100).snapshot(*second_day, closed=False).at(0).nothing().tables()
        assert tables.counters() == {}
        assert tables.cell(0, "B", 100) is not None
        assert tables.cell(0, "B", 99) is None

    def test_maybe_bad_book_holds_until_an_event_without_it(self) -> None:
        """Flagged at 1.2 s, next event at 3.5 s: seconds 1 and 2 end in doubt; second 3 starts in doubt."""
        tables = live().at(1.2).add(9, "B", 98, 1, bad=True).at(3.5).nothing().at(4.5).nothing().tables()
        assert tables.column("maybe_bad_book") == [False, True, True, False, False]
        assert tables.column("book_valid") == [True, False, False, True, True]
        assert tables.column("window_valid") == [True, False, False, False, True]
        assert tables.counters() == {"bad_book_flags": 1}

    def test_doubt_that_passes_within_a_window_still_spoils_it(self) -> None:
        tables = live().at(1.2).add(9, "B", 98, 1, bad=True).at(1.5).nothing().at(2.5).nothing().tables()
        assert tables.column("maybe_bad_book") == [False, True, False]
        assert tables.column("book_valid") == [True, True, True]
        assert tables.column("window_valid") == [True, False, True]

    def test_a_snapshot_ends_the_doubt(self) -> None:
        tables = live().at(1.2).add(9, "B", 98, 1, bad=True).at(2.2).snapshot(*BOOK).at(3.0).nothing().tables()
        assert tables.column("book_valid") == [True, False, True, True]
