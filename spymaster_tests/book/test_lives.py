"""What orders did: fills paired with the book changes that follow them, and lives from entry to end."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl
import pytest

from spymaster.book.engine import BBO, BookEngine
from spymaster.book.errors import BookError
from spymaster.book.lives.engine import EVENT, LIFE, LifePass
from spymaster.surfaces.frames import event_frame, life_frame
from spymaster.tables.order_event import OrderEvent
from spymaster.tables.order_life import OrderLife
from spymaster_tests.oracle.lives import Lives
from spymaster_tests.oracle.records import to_records
from spymaster_tests.oracle.tape import INSTRUMENT, TICK, Tape, ns
from spymaster_tests.stream_events import SNAPSHOT_FORMS, SnapshotForm
from spymaster_tests.streams import random_stream, to_sentinel_form

Tables = tuple[pl.DataFrame, pl.DataFrame]


def cut(array: np.ndarray, size: int) -> list[np.ndarray]:
    return [array[at : at + size].copy() for at in range(0, len(array), size)]


def quotes_of(array: np.ndarray, instrument_id: int) -> np.ndarray:
    """Event, bid and ask of every `bbo_change` row, as the book's own pass writes them."""
    engine = BookEngine(tick_size_int=TICK, instrument_id=instrument_id, emit=frozenset({BBO}))
    engine.feed(array)
    engine.finish()
    names = ("event_id", "bid_price_int", "ask_price_int")
    blocks = [np.stack([block[BBO][name] for name in names]) for block in engine.take()]
    return np.concatenate([np.zeros((3, 0), np.int64), *blocks], axis=1)


def lives_of(array: np.ndarray, instrument_id: int = INSTRUMENT, *, chunk: int = 500, rows: int = 4096) -> Tables:
    """Both tables of a stream, cut into chunks and written in blocks of `rows`."""
    quotes = quotes_of(array, instrument_id)
    pieces = [quotes[:, at : at + chunk] for at in range(0, quotes.shape[1], chunk)]
    life = LifePass(iter(pieces), instrument_id=instrument_id, tick_size_int=TICK, rows=rows)
    events, lives = [], []
    for part in [*cut(array, chunk), None]:
        for block in life.finish() if part is None else life.process(part):
            events.append(event_frame(block[EVENT], "ESH4"))
            lives.append(life_frame(block[LIFE], "ESH4"))
    return OrderEvent.validate(pl.concat(events)), OrderLife.validate(pl.concat(lives))


def expected(array: np.ndarray, instrument_id: int = INSTRUMENT) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    oracle = Lives(TICK).run(to_records(array, instrument_id))
    return oracle.events, oracle.lives


def plain(frame: pl.DataFrame, names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Rows as tuples of plain integers and words."""
    words = frame.with_columns(pl.selectors.datetime().cast(pl.Int64), pl.selectors.enum().cast(pl.String))
    return words.select(names).rows()


def assert_equal(tables: Tables, wanted: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    names = [name for name in OrderEvent.columns if name != "contract"]
    message = tuple(names.index(name) for name in ("event_id", "sequence", "kind"))

    def by_message(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Orders that a top-of-book add cancels at once have no order among themselves."""
        grouped = groupby(rows, key=lambda row: tuple(row[place] for place in message))
        return [row for _, group in grouped for row in sorted(group, key=repr)]

    oracle = [tuple(row[name] for name in names) for row in wanted[0]]
    assert by_message(plain(tables[0], names)) == by_message(oracle)
    names = [name for name in OrderLife.columns if name != "contract"]
    lives = [tuple(row[name] for name in names) for row in wanted[1]]
    assert sorted(plain(tables[1], names), key=repr) == sorted(lives, key=repr)


def of_order(tape: Tape, order_id: int) -> list[tuple[str, int, int, int]]:
    """Kind, quantity, size before and after of an order's messages."""
    frame = lives_of(tape.array())[0].filter(pl.col("order_id") == order_id)
    return plain(frame, ("kind", "qty", "size_before", "size_after"))


def market() -> Tape:
    """Order 1 bids 10 lots at 100, order 2 bids 4 there, order 3 offers 5 at 102."""
    return Tape().at(0).add(1, "B", 100, 10).add(2, "B", 100, 4).add(3, "A", 102, 5).at(1)


class TestPairing:
    """Which message a fill and the record after it are (the fixtures of the design's gate V13)."""

    def test_a_modify_to_what_is_left_is_a_partial_fill(self) -> None:
        tape = market().trade("A", 100, 3).fill(1, "B", 100, 3).modify(1, "B", 100, 7)
        assert of_order(tape, 1) == [("add", 10, 0, 10), ("fill_partial", 3, 10, 7)]

    def test_a_modify_to_more_than_is_left_is_a_refill(self) -> None:
        tape = market().trade("A", 100, 10).fill(1, "B", 100, 10).modify(1, "B", 100, 10)
        assert of_order(tape, 1)[1:] == [("refill", 10, 10, 10)]

    def test_a_cancel_of_what_was_filled_is_a_full_fill(self) -> None:
        tape = market().trade("A", 100, 10).fill(1, "B", 100, 10).cancel(1, "B", 100, 10)
        assert of_order(tape, 1)[1:] == [("fill_full", 10, 10, 0)]

    def test_several_fills_of_one_order_are_one_message(self) -> None:
        tape = market().trade("A", 100, 4).fill(1, "B", 100, 4).trade("A", 100, 6).fill(1, "B", 100, 6)
        tape.trade("A", 100, 4).fill(2, "B", 100, 4).cancel(1, "B", 100, 10, last=False).cancel(2, "B", 100, 4)
        assert of_order(tape, 1)[1:] == [("fill_full", 10, 10, 0)]
        assert of_order(tape, 2)[1:] == [("fill_full", 4, 4, 0)]

    def test_a_fill_of_an_unknown_order_is_no_message(self) -> None:
        tape = market().trade("A", 100, 2).fill(77, "B", 100, 2).nothing()
        assert of_order(tape, 77) == []
        assert lives_of(tape.array())[0]["kind"].to_list() == ["add", "add", "add", "trade"]

    def test_a_cancel_without_a_fill_in_a_match_event_stays_a_cancel(self) -> None:
        tape = market().trade("A", 100, 10).fill(1, "B", 100, 10).cancel(1, "B", 100, 10, last=False)
        tape.cancel(2, "B", 100, 4)
        assert of_order(tape, 2)[1:] == [("cancel", 4, 4, 0)]

    def test_a_cancel_of_more_than_was_filled_is_both(self) -> None:
        tape = market().trade("A", 100, 3).fill(1, "B", 100, 3).cancel(1, "B", 100, 10)
        assert of_order(tape, 1)[1:] == [("fill_partial", 3, 10, 7), ("cancel", 7, 7, 0)]

    def test_modifies_without_a_fill(self) -> None:
        tape = market().modify(1, "B", 100, 12).modify(1, "B", 100, 5).modify(1, "B", 99, 5).modify(1, "B", 99, 5)
        assert of_order(tape, 1)[1:] == [("size_up", 2, 10, 12), ("size_down", 7, 12, 5), ("reprice", 5, 5, 5)]

    def test_a_print_without_an_order_is_implied(self) -> None:
        frame = lives_of(market().trade("N", 101, 1, order_id=0, last=True).array())[0]
        assert plain(frame.tail(1), ("kind", "side", "size_before", "dist_ticks")) == [
            ("trade_implied", "N", None, None)
        ]


class TestWhere:
    def test_distances_are_from_the_quotes_and_the_print_before_the_event(self) -> None:
        tape = market().trade("A", 100, 1).fill(1, "B", 100, 1).modify(1, "B", 100, 9)
        tape.add(4, "B", 101, 1).add(5, "B", 101, 1).add(6, "A", 105, 1).modify(6, "A", 101, 1)
        frame = lives_of(tape.array())[0].filter(pl.col("order_id").is_in([4, 5, 6]))
        assert frame["dist_ticks"].to_list() == [-1, 0, 3, -1]
        assert frame["rel_ticks"].to_list() == [1, 1, 5, 1]

    def test_all_records_of_an_event_see_the_book_before_it(self) -> None:
        tape = market().add(4, "B", 101, 1, last=False).add(5, "B", 101, 1)
        assert lives_of(tape.array())[0]["dist_ticks"].to_list()[-2:] == [-1, -1]

    def test_the_first_event_after_a_snapshot_has_no_quotes(self) -> None:
        tape = Tape().snapshot((1, "B", 100, 1), (2, "A", 101, 1)).at(1).add(3, "B", 99, 1).add(4, "B", 99, 1)
        assert lives_of(tape.array())[0]["dist_ticks"].to_list() == [None, 1]


class TestLives:
    def test_a_life_from_entry_to_end(self) -> None:
        tape = market().at(2).modify(2, "B", 101, 4).at(3).modify(2, "B", 101, 6).at(4).cancel(2, "B", 101, 6)
        row = lives_of(tape.array())[1].filter(pl.col("order_id") == 2)
        names = ("ts_add", "ts_last_reprice", "ts_end", "end_reason", "n_reprice", "n_size_up", "max_displayed")
        assert plain(row, names) == [(ns(0), ns(2), ns(4), "cancel", 1, 1, 6)]
        assert row["queue_ahead_add"].item() == 10

    def test_hidden_quantity_shows_in_the_sum_of_fills(self) -> None:
        tape = market()
        for _ in range(3):
            tape.trade("A", 100, 10).fill(1, "B", 100, 10).modify(1, "B", 100, 10)
        tape.trade("A", 100, 10).fill(1, "B", 100, 10).cancel(1, "B", 100, 10)
        row = lives_of(tape.array())[1].filter(pl.col("order_id") == 1)
        assert plain(row, ("end_reason", "n_refill", "filled_qty", "max_displayed")) == [("fill", 3, 40, 10)]

    def test_orders_of_a_snapshot_entered_before_and_end_unseen(self) -> None:
        tape = Tape().snapshot((1, "B", 100, 2), age=60.0).at(5).add(2, "A", 101, 1)
        lives = lives_of(tape.array())[1].sort("order_id")
        assert plain(lives, ("known_add", "ts_add", "ts_end", "end_reason", "event_id_end")) == [
            (False, ns(-60), ns(5), "open", None),
            (True, ns(5), ns(5), "open", None),
        ]

    def test_an_order_first_named_by_a_modify_has_no_known_entry(self) -> None:
        tape = market().modify(9, "B", 99, 3)
        row = lives_of(tape.array())[1].filter(pl.col("order_id") == 9)
        assert plain(row, ("known_add", "event_id_add", "dist_add", "queue_ahead_add")) == [(False, None, None, None)]
        assert of_order(tape, 9) == [("add", 3, 0, 3)]

    def test_entries_by_a_modify_are_counted_where_one_is_written(self) -> None:
        """What the check of lives against messages relies on: entries less these are the lives with a known entry."""
        array = market().modify(9, "B", 99, 0).modify(8, "B", 99, 3).modify(2, "A", 104, 4).array()
        events, lives = lives_of(array)
        life = LifePass(iter([quotes_of(array, INSTRUMENT)]), instrument_id=INSTRUMENT, tick_size_int=TICK)
        for _ in (*life.process(array), *life.finish()):
            pass
        assert events.filter(kind="add").height - life.counters["modify_as_add"] == lives["known_add"].sum() == 4
        assert (life.counters["modify_as_add"], life.counters["unknown_cancel"]) == (1, 1)

    def test_a_snapshot_in_the_file_cuts_a_life_in_two(self) -> None:
        tape = market().at(2).snapshot((1, "B", 100, 10)).at(3).cancel(1, "B", 100, 10)
        rows = lives_of(tape.array())[1].filter(pl.col("order_id") == 1)
        assert plain(rows, ("known_add", "end_reason")) == [(True, "open"), (False, "cancel")]


@pytest.mark.parametrize("form", SNAPSHOT_FORMS)
@pytest.mark.parametrize("seed", range(4))
def test_equal_to_the_slow_oracle(seed: int, form: SnapshotForm) -> None:
    """Streams in which everything odd happens often, blocks so small that every kind of growth is met."""
    array = random_stream(seed, 1500, instrument_id=INSTRUMENT, snapshot=form)
    assert_equal(lives_of(array, chunk=64 + seed, rows=300), expected(array))


def test_equal_to_the_slow_oracle_without_a_snapshot() -> None:
    array = random_stream(11, 1500, instrument_id=INSTRUMENT, snapshot=None)
    assert_equal(lives_of(array), expected(array))


def test_chunks_and_blocks_change_nothing() -> None:
    array = random_stream(5, 3000, instrument_id=INSTRUMENT)
    whole = lives_of(array, chunk=10**6, rows=10**5)
    pieces = lives_of(array, chunk=7, rows=200)
    assert whole[0].equals(pieces[0])
    assert whole[1].equals(pieces[1])


def test_both_forms_of_closing_an_event_give_the_same_rows() -> None:
    array = random_stream(6, 2000, instrument_id=INSTRUMENT)
    one, other = lives_of(array), lives_of(to_sentinel_form(array))
    assert one[0].equals(other[0])
    assert one[1].equals(other[1])


def test_validity_is_that_of_the_quotes() -> None:
    array = random_stream(8, 3000, instrument_id=INSTRUMENT, weights={"bad_book": 5.0, "clear": 0.5, "snapshot": 0.5})
    engine = BookEngine(tick_size_int=TICK, instrument_id=INSTRUMENT, emit=frozenset({BBO}))
    engine.feed(array)
    engine.finish()
    said = {}
    for block in engine.take():
        said |= dict(zip(block[BBO]["event_id"].tolist(), block[BBO]["book_valid"].tolist(), strict=True))
    frame = lives_of(array)[0].filter(pl.col("event_id").is_in(list(said)))
    assert frame["book_valid"].cast(pl.Int64).to_list() == [said[number] for number in frame["event_id"].to_list()]
    assert frame["book_valid"].n_unique() == 2


def test_many_orders_and_prices_make_the_arrays_grow() -> None:
    tape = Tape().at(0)
    for number in range(20_000):
        tape.add(number + 1, "B", 1000 + number, 1)
    for number in range(20_000):
        tape.cancel(number + 1, "B", 1000 + number, 1)
    events, lives = lives_of(tape.array(), chunk=65_536, rows=4096)
    assert events.height == 40_000
    assert lives["end_reason"].to_list() == ["cancel"] * 20_000


def test_an_order_without_a_side_is_refused() -> None:
    life = LifePass(iter(()), instrument_id=INSTRUMENT, tick_size_int=TICK, source="a file")
    array = market().write("A", "N", 9, 100, 1).array()
    with pytest.raises(BookError, match="a file: record 3"):
        list(life.process(array))
