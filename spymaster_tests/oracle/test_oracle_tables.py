"""The wall's rows and differences, its stored form, and the event tables, worked out by hand."""

from __future__ import annotations

from spymaster_tests.oracle.tape import START, TICK, Tape

BOOK = ((1, "B", 100, 5), (2, "B", 99, 7), (3, "A", 101, 4), (4, "A", 103, 2))
STORED = "wall_surface_1s_stored"


def live(*extra: tuple[int, str, int, int]) -> Tape:
    return Tape().at(-100).snapshot(*BOOK, *extra).at(0.0).nothing()


class TestWall:
    def test_rows_are_cells_that_rest_or_had_flow(self) -> None:
        """Order 9 comes and goes within second 1; its cell has a row then and no other time."""
        tape = live().at(1.1).add(9, "B", 97, 1).at(1.2).cancel(9, "B", 97, 1).at(2.0).nothing()
        wall = tape.tables()["wall_surface_1s"]
        per_second = wall.group_by("window_end", maintain_order=True).len()["len"].to_list()
        assert per_second == [4, 5, 4]

    def test_relative_ticks_follow_the_spot_at_the_end_of_the_window(self) -> None:
        """Spot is the bid at 100, then the trade at 103: the same cell is 1 tick above, then 2 below."""
        tables = live().at(1.5).trade("B", 103, 1, last=True).tables()
        rows = [tables.cell(second, "A", 101) or {} for second in (0, 1)]
        assert [(row["rel_ticks"], row["spot_ref_price_int"]) for row in rows] == [(1, 100), (-2, 103)]

    def test_the_grid_ends_600_ticks_from_spot(self) -> None:
        tables = live((7, "A", 700, 1), (8, "A", 701, 1), (9, "B", 1, 1)).tables()
        assert (tables.cell(0, "A", 700) or {})["rel_ticks"] == 600
        assert tables.cell(0, "A", 701) is None
        assert (tables.cell(0, "B", 1) or {})["rel_ticks"] == -99

    def test_rows_are_sorted_by_price_and_bid_before_ask(self) -> None:
        wall = live((9, "B", 101, 1)).tables()["wall_surface_1s"]
        keys = list(zip((wall["price_int"] // TICK).to_list(), wall["side"].to_list(), strict=True))
        assert keys == [(99, "B"), (100, "B"), (101, "B"), (101, "A"), (103, "A")]

    def test_differences_are_those_of_the_depth_at_consecutive_window_ends(self) -> None:
        """Depth at 100: 5 before the clock starts, then 8, 8, 2, 2, 2.

        d1: 3 0 -6 0 0;  d2: 3 -3 -6 6 0;  d3: 3 -6 -3 12 -6.
        """
        tape = live().at(0.5).add(9, "B", 100, 3).at(2.5).cancel(9, "B", 100, 3).modify(1, "B", 100, 2)
        tables = tape.at(4.0).nothing().tables()
        rows = [tables.cell(second, "B", 100) or {} for second in range(5)]
        assert [row["depth_qty_end"] for row in rows] == [8, 8, 2, 2, 2]
        assert [row["depth_qty_start"] for row in rows] == [5, 8, 8, 2, 2]
        assert [row["d1_depth_qty"] for row in rows] == [3, 0, -6, 0, 0]
        assert [row["d2_depth_qty"] for row in rows] == [3, -3, -6, 6, 0]
        assert [row["d3_depth_qty"] for row in rows] == [3, -6, -3, 12, -6]

    def test_a_cell_without_a_row_still_has_its_true_depth_in_the_differences(self) -> None:
        """Cell 97: 0, then 4 added in second 1, gone in second 2, added again in second 5.

        Depth 0 4 0 0 0 4; at second 5 the differences look back over seconds that have no row: d1 4, d2 4, d3 4.
        """
        tape = live().at(1.5).add(9, "B", 97, 4).at(2.5).cancel(9, "B", 97, 4).at(5.5).add(10, "B", 97, 4)
        tables = tape.tables()
        rows = [tables.cell(second, "B", 97) for second in range(6)]
        assert [row is not None for row in rows] == [False, True, True, False, False, True]
        values = [tuple(row[f"d{n}_depth_qty"] for n in (1, 2, 3)) for row in rows if row]
        assert values == [(4, 4, 4), (-4, -8, -12), (4, 4, 4)]

    def test_depth_starts_resting_half_a_second_after_it_came(self) -> None:
        """Added at 0.6 s: at 1.0 s it is 0.4 s old, at 2.0 s it rests. The second row needs no flow to be right."""
        tables = live().at(0.6).add(9, "B", 97, 4).at(2.0).nothing().tables()
        assert [(tables.cell(second, "B", 97) or {})["depth_qty_rest"] for second in (0, 1)] == [0, 4]


class TestStoredForm:
    """Outside RTH a row stands where it tells something new; an absent row repeats the cell's last one."""

    FAR = ((7, "A", 140, 1), (8, "A", 121, 1), (9, "A", 120, 1))

    def seconds_stored(self, tape: Tape, side: str, ticks: int, until: int, **options: object) -> list[int]:
        tables = tape.tables(stored=True, **options)
        return [second for second in range(until) if tables.cell(second, side, ticks, STORED)]

    def test_far_rows_are_kept_in_the_first_window_only_and_near_rows_always(self) -> None:
        tape = live(*self.FAR).at(3.0).nothing()
        assert self.seconds_stored(tape, "A", 140, 4) == [0]
        assert self.seconds_stored(tape, "A", 121, 4) == [0]  # 21 ticks from spot 100
        assert self.seconds_stored(tape, "A", 120, 4) == [0, 1, 2, 3]

    def test_the_first_window_of_a_minute_is_whole(self) -> None:
        tape = live(*self.FAR).at(121.0).nothing()
        assert self.seconds_stored(tape, "A", 140, 122) == [0, 60, 120]

    def test_in_rth_every_row_is_kept(self) -> None:
        rth = (START + 1_000_000_000, START + 3_000_000_000)
        tape = live(*self.FAR).at(4.0).nothing()
        assert self.seconds_stored(tape, "A", 140, 5, rth=rth) == [0, 1, 2]

    def test_flow_and_quantity_that_comes_to_rest_are_kept(self) -> None:
        """An add at 2.6 s: flow in second 2, and in second 3 its quantity is resting. Then nothing new."""
        tape = live(*self.FAR).at(2.6).add(10, "A", 140, 1).at(5.0).nothing()
        assert self.seconds_stored(tape, "A", 140, 6) == [0, 2, 3]

    def test_a_flow_that_leaves_the_quantity_unchanged_is_kept(self) -> None:
        tape = live(*self.FAR).at(2.1).add(10, "A", 140, 1).at(2.2).cancel(10, "A", 140, 1).at(4.0).nothing()
        assert self.seconds_stored(tape, "A", 140, 5) == [0, 2]

    def test_a_price_that_enters_the_grid_with_another_state_is_kept(self) -> None:
        """701 and 702 are off the grid until spot moves from 100 to 102 in second 2; 701 is cancelled before."""
        tape = live((7, "A", 701, 1), (8, "A", 702, 1)).at(1.5).cancel(7, "A", 701, 1)
        tape.at(2.5).trade("B", 102, 1, last=True).at(4.0).nothing()
        assert self.seconds_stored(tape, "A", 701, 5) == []
        assert self.seconds_stored(tape, "A", 702, 5) == [2]

    def test_a_cell_that_emptied_outside_the_grid_has_an_empty_row_when_it_comes_back(self) -> None:
        """700 has a row in second 0; spot falls to 99, it is cancelled off the grid; spot rises again in second 3.

        Without the empty row of second 3, its row of second 0 would still stand.
        """
        tape = live((7, "A", 700, 1)).at(1.5).trade("A", 99, 1, last=True).at(2.5).cancel(7, "A", 700, 1)
        tables = tape.at(3.5).trade("B", 101, 1, last=True).at(5.0).nothing().tables(stored=True)
        rows = {second: tables.cell(second, "A", 700, STORED) for second in range(6)}
        assert [second for second, row in rows.items() if row] == [0, 3]
        assert (rows[3] or {})["depth_qty_end"] == 0
        assert tables.cell(3, "A", 700) is None  # the dense form has no empty rows


class TestTrades:
    def test_one_row_per_match_event(self) -> None:
        """Buys 4 at 101, 2 at 103, 1 more at 103: 7 lots over 2 prices for (4*101 + 3*103)/7 = 101.857 ticks."""
        tape = live().at(0.2).trade("B", 101, 4).fill(3, "A", 101, 4).trade("B", 103, 2).fill(4, "A", 103, 2)
        tape.trade("B", 103, 1).cancel(3, "A", 101, 4, last=False).cancel(4, "A", 103, 2)
        rows = tape.tables()["trade"].rows(named=True)
        assert len(rows) == 1
        row = rows[0]
        assert row["event_id"] == 1  # the record that started the clock was event 0
        assert row["price_int"] == 103 * TICK
        assert row["vwap_price_int"] == (4 * 101 + 3 * 103) * TICK // 7
        assert (row["qty"], row["aggressor"], row["levels_consumed"], row["n_fills"]) == (7, "B", 2, 2)
        assert row["l1_qty_before"] == 4  # the asks at 101, as they stood before
        assert row["is_implied"] is False

    def test_an_auction_or_implied_print_has_no_aggressor_and_no_passive_side(self) -> None:
        row = live().at(0.2).trade("N", 101, 4, order_id=0, last=True).tables().rows("trade")[0]
        assert (row["aggressor"], row["l1_qty_before"], row["is_implied"]) == ("N", None, True)

    def test_times_are_those_of_the_first_record(self) -> None:
        tape = live().at(0.2).trade("B", 101, 4).at(0.3).cancel(3, "A", 101, 4)
        frame = tape.tables()["trade"].select("ts_event", "ts_recv")
        event, received = (column.to_physical()[0] - START for column in frame)
        assert (event, received) == (200_000_000, 200_090_000)


class TestBboChanges:
    def test_the_first_event_and_every_change_of_price_quantity_or_orders_has_a_row(self) -> None:
        tape = live()  # event 0: first
        tape.at(0.1).add(9, "B", 98, 1)  # event 1: behind the best, no row
        tape.at(0.2).modify(1, "B", 100, 4)  # event 2: quantity
        tape.at(0.3).modify(1, "B", 100, 3, last=False).add(10, "B", 100, 1)  # event 3: same quantity, two orders
        tape.at(0.4).trade("A", 100, 1, last=True)  # event 4: nothing
        tape.at(0.5).cancel(3, "A", 101, 4)  # event 5: price
        rows = tape.tables().rows("bbo_change")
        assert [row["event_id"] for row in rows] == [0, 2, 3, 5]
        assert [(row["bid_price_int"], row["bid_qty"], row["bid_orders"]) for row in rows] == [
            (100, 5, 1),
            (100, 4, 1),
            (100, 4, 2),
            (100, 4, 2),
        ]
        assert [row["ask_price_int"] for row in rows] == [101, 101, 101, 103]

    def test_what_changes_and_changes_back_within_an_event_is_no_change(self) -> None:
        tape = live().at(0.1).add(9, "B", 101, 1, last=False).cancel(9, "B", 101, 1)
        assert len(tape.tables().rows("bbo_change")) == 1

    def test_crossed_and_validity_are_those_after_the_event(self) -> None:
        tape = live().at(0.1).add(9, "B", 102, 1).at(0.2).add(10, "B", 102, 1)
        tape.write("A", "B", 11, 102, 1, flags=0x04)
        rows = tape.tables().rows("bbo_change")
        assert [(row["crossed"], row["book_valid"]) for row in rows] == [
            (False, True),
            (True, True),
            (True, True),
            (True, False),
        ]

    def test_a_snapshot_in_the_stream_shows_at_the_next_event(self) -> None:
        tape = live().at(1.0).snapshot((1, "B", 100, 6)).at(2.0).nothing()
        rows = tape.tables().rows("bbo_change")
        assert [(row["event_id"], row["bid_qty"], row["ask_qty"]) for row in rows] == [(0, 5, 4), (1, 6, None)]
