"""The order-book engine: feeds records of one instrument to the kernels and drains what they emit, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spymaster.book import layout as la
from spymaster.book.arrays import Book, Scratch, cache_aligned, empty_cells, note_addresses
from spymaster.book.blocks import BBO, EMITTABLE, SNAPSHOT, TRADE, WALL, Block, BlockMemory
from spymaster.book.errors import BookError, OffTickPriceError, OversizeOrderError, TimeOrderError
from spymaster.book.kernel import finish, reindex, run
from spymaster.book.recentre import recentred
from spymaster.market.dbn import ACTION_ADD, UNDEF_PRICE

_ROWS = {SNAPSHOT: la.S_SNAPSHOT_N, WALL: la.S_WALL_N, TRADE: la.S_TRADE_N, BBO: la.S_BBO_N}
"""Where in the state the rows of each table are counted."""


@dataclass(frozen=True)
class EngineConfig:
    """Parameters of the engine; times in ns, distances in ticks.

    `block_windows` and `block_rows` bound what is held before it is drained; they never change a value. The default
    fits a second-level cache: rows that leave it cost twice the time.
    """

    window_ns: int = 1_000_000_000
    rest_ns: int = 500_000_000
    grid_ticks: int = 600
    near_ticks: int = 20
    block_windows: int = 900
    block_rows: int = 16_384
    event_rows: int = 32_768
    width: int | None = None
    """Ticks held in the array grid; None takes the power of two that leaves room for spot to wander."""


class BookEngine:
    """Level-3 book of one instrument, resumable at any record.

    Feed it record arrays (`market.dbn.MBO_DTYPE`, file order, any chunk size; records of other instruments are
    skipped), then call `finish`. Rows come out in blocks of whole windows; what they hold does not depend on how the
    records were cut into chunks.

    Raises `BookError` subclasses (live time going backwards, price off the tick grid, impossible size or action),
    which name the offending record by its position among all records fed.
    """

    def __init__(
        self,
        *,
        tick_size_int: int,
        instrument_id: int,
        rth: tuple[int, int] | None = None,
        config: EngineConfig | None = None,
        emit: frozenset[str] = frozenset(EMITTABLE),
        source: str = "records",
    ) -> None:
        if tick_size_int <= 0:
            raise ValueError(f"tick size must be positive, got {tick_size_int}")
        unknown = emit - EMITTABLE.keys()
        if unknown:
            raise ValueError(f"the engine does not emit {sorted(unknown)}; it emits {sorted(EMITTABLE)}")
        self.config = config or EngineConfig()
        self.source = source
        self._emit = emit
        self._ready: list[Block] = []
        self._fed = 0
        self._centred = False
        width = self.config.width or max(8192, 1 << (8 * self.config.grid_ticks - 1).bit_length())
        if width % 64 or not 2 * self.config.grid_ticks + 128 <= width <= la.MAX_WIDTH:
            raise ValueError(
                f"width {width} must be a multiple of 64, hold the grid of {self.config.grid_ticks} ticks, "
                f"and be {la.MAX_WIDTH} at most"
            )
        self._book = _empty_book(width, orders=16_384, spill=256, tick_size_int=tick_size_int)
        st = self._book.state
        window_rows = 2 * (2 * self.config.grid_ticks + 1)
        room = {
            SNAPSHOT: self.config.block_windows,
            WALL: (self.config.block_rows if WALL in emit else 0) + window_rows + la.PADDING,
            TRADE: self.config.event_rows if TRADE in emit else 1,
            BBO: self.config.event_rows if BBO in emit else 1,
        }
        self._memory = BlockMemory(st, room)
        self._rows_of_window = Scratch(
            chosen=np.empty(window_rows + la.PADDING, np.int32), special=np.empty(window_rows + 1, np.int32)
        )
        note_addresses(st, self._rows_of_window)
        st[la.S_WIDTH] = width
        st[la.S_ORIGIN] = 0
        st[la.S_INSTRUMENT] = instrument_id
        st[la.S_WINDOW_NS] = self.config.window_ns
        st[la.S_REST_NS] = self.config.rest_ns
        st[la.S_GRID] = self.config.grid_ticks
        st[la.S_NEAR] = self.config.near_ticks
        st[la.S_RTH_START], st[la.S_RTH_END] = rth or (0, 0)
        st[la.S_EMIT] = sum(EMITTABLE[name] for name in emit)
        st[la.S_BLOCK_WINDOWS] = self.config.block_windows
        st[la.S_BEST_BID] = st[la.S_SPILL_BEST_BID] = la.NO_TICK
        st[la.S_BEST_ASK] = st[la.S_SPILL_BEST_ASK] = la.NO_ASK
        st[la.S_LAST_PRICE] = st[la.S_LAST_TRADE_TS] = la.NO_PRICE
        st[la.S_LAST_TS] = la.NO_PRICE
        st[la.S_WINDOW_END] = st[la.S_YOUNG_FROM] = la.NO_ASK  # before the clock starts nothing is young ...
        st[la.S_DUE] = la.NO_PRICE  # ... and the first live record starts it
        st[la.S_GRID_LO], st[la.S_GRID_HI] = la.NO_ASK, la.NO_TICK
        st[la.S_FILL_BATCH] = 1
        st[la.S_TOP_CHANGED] = 1
        st[la.S_WALL_CAPACITY] = room[WALL] - la.PADDING
        st[la.S_TRADE_CAPACITY] = room[TRADE]
        st[la.S_BBO_CAPACITY] = room[BBO]

    # feeding

    def process(self, records: np.ndarray) -> Iterator[Block]:
        """Apply a chunk of records, yielding every block of windows that fills up on the way."""
        if not records.flags.writeable:
            records = records.copy()  # a read-only array would compile the kernel a second time
        self._centre_first(records)
        position = 0
        while True:
            position, code = run(self._book.state, records, position)
            if code == la.DONE:
                break
            yield from self._make_room(code, records, position)
        self._fed += len(records)

    def feed(self, records: np.ndarray) -> None:
        """`process` for callers that collect blocks with `take`."""
        self._ready.extend(self.process(records))

    def finish_blocks(self) -> Iterator[Block]:
        """End of the file: close the last window and yield what is left."""
        while (code := finish(self._book.state)) != la.DONE:
            yield from self._make_room(code, None, 0)
        block = self._drain()
        if any(len(next(iter(columns.values()))) for columns in block.values()):
            yield block

    def finish(self) -> None:
        """`finish_blocks` for callers that collect blocks with `take`."""
        self._ready.extend(self.finish_blocks())

    def take(self) -> list[Block]:
        """Blocks collected by `feed` and `finish` since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def start_file(self) -> None:
        """A new file begins: a snapshot at its head replaces the book even right after another snapshot."""
        self._book.state[la.S_AFTER_SNAPSHOT] = 0

    # looking

    @property
    def counters(self) -> dict[str, int]:
        """What was seen and what was odd, by name."""
        st = self._book.state
        applied = self._fed - int(st[la.S_SKIPPED])
        return {
            "records": applied,
            "live_records": applied - int(st[la.K_SNAPSHOT]),
            "events": int(st[la.S_EVENT_ID]),
        } | {name: int(value) for name, value in zip(la.COUNTER_NAMES, st[la.COUNTERS], strict=True)}

    @property
    def diagnostics(self) -> dict[str, int]:
        """How the arrays were used. Unlike `counters` this depends on how the records were cut into chunks."""
        return dict(zip(la.DIAGNOSTIC_NAMES, self._book.state[la.DIAGNOSTICS].tolist(), strict=True))

    @property
    def fifo_consistency(self) -> float | None:
        """Share of known fills that named the front of their queue, None before the first."""
        known = int(self._book.state[la.K_KNOWN_FILLS])
        return int(self._book.state[la.K_FRONT_FILLS]) / known if known else None

    def ladder(self, n: int | None = None) -> dict[str, np.ndarray]:
        """The `n` best levels per side (all by default), bids first, best first: side, price_int, qty, orders."""
        st, cells = self._book.state, self._book.cells
        used = 2 * int(st[la.S_WIDTH]) + int(st[la.S_SPILL_N])
        resting = np.flatnonzero(cells[:used, la.C_COUNT] > 0)
        ticks, sides = cell_positions(self._book, resting)
        order = np.lexsort((np.where(sides == la.BID, -ticks, ticks), sides))
        if n is not None:
            bids = int((sides == la.BID).sum())
            order = np.concatenate([order[:bids][:n], order[bids:][:n]])
        resting, ticks, sides = resting[order], ticks[order], sides[order]
        return {
            "side": np.where(sides == la.BID, "B", "A"),
            "price_int": ticks * st[la.S_TICK_SIZE],
            "qty": cells[resting, la.C_DEPTH].astype(np.int64),
            "orders": cells[resting, la.C_COUNT].astype(np.int64),
        }

    def resting_orders(self) -> dict[str, np.ndarray]:
        """Every resting order in queue order within its level: order_id, side, price_int, qty, ts_enter (ns)."""
        orders, links, cells = self._book.orders, self._book.links, self._book.cells
        used = 2 * int(self._book.state[la.S_WIDTH]) + int(self._book.state[la.S_SPILL_N])
        slots = []
        for head in cells[:used, la.C_HEAD][cells[:used, la.C_COUNT] > 0]:
            slot = int(head)
            while slot >= 0:
                slots.append(slot)
                slot = int(links[slot, la.O_NEXT])
        queued = np.array(slots, dtype=np.int64)
        ticks, sides = cell_positions(self._book, links[queued, la.O_CELL].astype(np.int64))
        return {
            "order_id": orders[queued, la.O_ID].astype(np.uint64),
            "side": np.where(sides == la.BID, "B", "A"),
            "price_int": ticks * self._book.state[la.S_TICK_SIZE],
            "qty": links[queued, la.O_SIZE].astype(np.int64),
            "ts_enter": orders[queued, la.O_TS],
        }

    # the inside

    def _centre_first(self, records: np.ndarray) -> None:
        """Put the grid around the first prices that are seen. Where it lies never changes a value, only the speed."""
        if self._centred:
            return
        st = self._book.state
        mine = (records["instrument_id"] == st[la.S_INSTRUMENT]) & (records["action"] == ACTION_ADD)
        prices = records["price"][mine & (records["price"] != UNDEF_PRICE)]
        if len(prices):
            middle = int(np.sort(prices)[len(prices) // 2]) // int(st[la.S_TICK_SIZE])
            # modifies of unknown orders may have put levels somewhere already: they move along
            self._book = recentred(self._book, (middle - int(st[la.S_WIDTH]) // 2) // 64 * 64)
            self._centred = True

    def _make_room(self, code: int, records: np.ndarray | None, position: int) -> Iterator[Block]:
        if code == la.BLOCK_FULL:
            yield self._drain()
        elif code == la.GROW_ORDERS:
            self._book = _with_more_orders(self._book)
        elif code == la.GROW_SPILL:
            self._book = recentred(self._book, int(self._book.state[la.S_ORIGIN]), grow_spill=True)
        elif code == la.RECENTRE:
            st = self._book.state
            price = int(st[la.S_LAST_PRICE])
            spot_tick = price // int(st[la.S_TICK_SIZE]) if price != la.NO_PRICE else int(st[la.S_BEST_BID])
            origin = (spot_tick - int(st[la.S_WIDTH]) // 2) // 64 * 64
            self._book = recentred(self._book, origin)
        else:
            raise self._error(code, records, position)

    def _error(self, code: int, records: np.ndarray | None, position: int) -> BookError:
        assert records is not None
        record = records[position]
        where = f"{self.source}: record {self._fed + position} of instrument {record['instrument_id']}"
        if code == la.ERR_TIME:
            before = int(self._book.state[la.S_LAST_TS])
            return TimeOrderError(
                f"{where}: live ts_event goes backwards from {before} to {record['ts_event']}",
                hint="file order is the truth: the file is damaged or was re-sorted; fetch it again",
            )
        if code == la.ERR_OFF_TICK:
            return OffTickPriceError(
                f"{where}: price {record['price']} is not a multiple of the tick size "
                f"{self._book.state[la.S_TICK_SIZE]} (1e-9 units)",
                hint="correct tick_size of the instrument, or add its definition file to the raw folder",
            )
        if code == la.ERR_SIZE:
            return OversizeOrderError(f"{where}: size {record['size']} of order {record['order_id']} is impossible")
        return BookError(f"{where}: action {record['action']:#x} with side {record['side']:#x} has no meaning")

    def _drain(self) -> Block:
        """Hand the filled memory over as it is, and go on with fresh one."""
        st = self._book.state
        block = self._memory.columns({table: int(st[_ROWS[table]]) for table in self._emit})
        self._memory.renew()
        for field in (*_ROWS.values(), la.S_FULL):
            st[field] = 0
        return block


def cell_positions(book: Book, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Absolute tick and side (0 bid, 1 ask) of cell numbers."""
    width2 = 2 * int(book.state[la.S_WIDTH])
    keys = np.where(
        cells < width2,
        2 * int(book.state[la.S_ORIGIN]) + cells,
        book.spill[np.maximum(cells - width2, 0)],
    ).astype(np.int64)
    return keys >> 1, keys & 1


def _empty_book(width: int, *, orders: int, spill: int, tick_size_int: int) -> Book:
    slots = cache_aligned(orders, la.ORDER_FIELDS, np.int64)
    book = Book(
        orders=slots,
        links=slots.view(np.int32),
        pending=np.zeros(orders, np.int64),
        index=np.zeros(4 * orders, np.int32),
        cells=empty_cells(2 * width + spill),
        ends=np.zeros((la.END_ROWS, 2 * width + spill), np.int32),
        bits=cache_aligned(width // 64, la.BIT_PLANES, np.uint64),
        spill=np.zeros(6 * spill, np.int64),
        per_tick=np.array([1 / tick_size_int]),
        state=np.zeros(la.STATE_FIELDS, np.int64),
    )
    note_addresses(book.state, book)
    _chain_free(book.links, 0)
    _note_orders(book)
    book.state[la.S_SPILL_CAPACITY] = spill
    book.state[la.S_SPILL_MASK] = 4 * spill - 1
    book.state[la.S_TICK_SIZE] = tick_size_int
    return book


def _chain_free(links: np.ndarray, first: int) -> None:
    links[first:, la.O_NEXT] = np.arange(first + 1, len(links) + 1)


def _note_orders(book: Book) -> None:
    """Tell the kernels how much room the arrays of orders have."""
    st = book.state
    st[la.S_ORDERS_CAPACITY] = len(book.orders)
    st[la.S_INDEX_MASK] = len(book.index) - 1
    st[la.S_INDEX_SHIFT] = 64 - (len(book.index).bit_length() - 1)


def _with_more_orders(book: Book) -> Book:
    """Twice the slots and a rebuilt index; slot numbers stay."""
    old = len(book.orders)
    slots = cache_aligned(2 * old, la.ORDER_FIELDS, np.int64)
    slots[:old] = book.orders
    grown = book._replace(
        orders=slots,
        links=slots.view(np.int32),
        pending=_lengthened(book.pending, 2 * old),
        index=np.zeros(2 * len(book.index), np.int32),
    )
    _chain_free(grown.links, old)
    _note_orders(grown)
    note_addresses(grown.state, grown)
    grown.state[la.S_FREE] = old  # the engine grows only when every old slot is taken
    reindex(grown.state, old)
    return grown


def _lengthened(array: np.ndarray, length: int) -> np.ndarray:
    longer = np.zeros(length, array.dtype)
    longer[: len(array)] = array
    return longer
