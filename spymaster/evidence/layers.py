"""E7: is displayed volume withdrawn right after the *other* side trades, more often than by chance?

A rate, and no accusation: inventory, hedging and news do the same.

*Episodes*: groups of three large orders or more on one side, one to five ticks behind the best price, at three prices
or more, that entered within 2 s of each other and went without a fill within 10 ms of each other; after a trade
against the other side at one delay. The delay is told, from 50 us to 1 s in bins of 10 ms: trades are frequent, so that
one a second before says little, and a group may stand for a minute before what it waits for. A burst of trades is one
coincidence: a group counts once a bin. (That a group went without such a trade says nothing against it.)

*Contra pull*: of all volume pulled within 1 s after trades, the share on the side that the trade did not take from (a
natural answer to a purchase is that offers are pulled). Aggressors multiplied by random signs have to agree in
direction.

Both against surrogates in which trades are shifted by 2 to 30 s as a whole. In a burst there are more groups by chance
and more trades, at all delays: `episodes` must also be more than groups give that go anew within cells of 200 ms, and
the larger p counts. Fewer than five groups have no p (`few`). (On order-book imbalance of this kind: Cartea, Jaimungal
& Wang 2020; Tao et al. 2022.)
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import DISTANCES, SECOND_NS, DayArrays, kind
from spymaster.evidence.bins import MS, US, linear
from spymaster.evidence.bootstrap import block_sums, ratio_interval
from spymaster.evidence.effects import FIRST
from spymaster.evidence.few import if_enough
from spymaster.evidence.layer_groups import Groups, groups_of
from spymaster.evidence.maxstat import Together, in_stages, mc_p, staged
from spymaster.evidence.nulls import draw_shift, seriesshift, signflips
from spymaster.evidence.peaks import curve_of
from spymaster.evidence.result import Exemplars, First, TestResult, Weights, carried_on, choose_links, excess_share
from spymaster.evidence.strata import POOLED, Stratum
from spymaster.evidence.streams import BOOTSTRAP, EXEMPLARS, Streams
from spymaster.jit import kernel
from spymaster.tables.types import LIFE_ENDS, SIDES

TEST = "E7"
LEAST_LAYERS = 3
"""Orders of a group, and prices that they are at."""
TOGETHER_NS = 2 * SECOND_NS
WIDTH = GONE_TOGETHER_NS = 10 * MS
EDGES = np.concatenate([np.array([50 * US], np.int64), linear(WIDTH, 1000 * MS, WIDTH)])
"""Bins of the delay: as wide as an answer after tenths of a second spreads, narrow against the time between trades.

A group that takes longer than a bin to go has no one delay.
"""
CELL = 20 * WIDTH
"""Cells that withdrawals are drawn anew in: of a peak of one bin a twentieth stays."""
PULLED_WITHIN_NS = SECOND_NS
BEHIND = tuple(DISTANCES.index(name) for name in ("1", "2", "3-5"))
"""Places in `DISTANCES` of 1 to 5 ticks."""
LEAST_SHIFT, MOST_SHIFT = 2 * SECOND_NS, 30 * SECOND_NS
FLIPS = 99


@kernel()
def pulled_after(ts, bids, asks, trade, within, out):
    """Lots pulled within `within` ns after each trade, by side; ts and trade rise, lots are sums up to each pull."""
    n = ts.shape[0]
    first, last = 0, 0
    for k in range(trade.shape[0]):
        while first < n and ts[first] <= trade[k]:
            first += 1
        last = max(last, first)
        while last < n and ts[last] <= trade[k] + within:
            last += 1
        out[0, k] = bids[last] - bids[first]
        out[1, k] = asks[last] - asks[first]


def withdrawn(day: DayArrays, side: int) -> NDArray[np.int64]:
    """Lives that layers are of: large orders of a side behind the best price, withdrawn unfilled; by when they went."""
    lives = day.lives
    chosen = lives.usable & (lives.side == side) & np.isin(lives.dist_code, BEHIND)
    chosen &= (lives.reason == LIFE_ENDS.index("cancel")) & (lives.filled == 0) & (lives.reprices == 0)
    rows = np.flatnonzero(chosen & (lives.size >= day.law.large_behind))
    return rows[np.argsort(lives.ts_end[rows], kind="stable")]


def groups(day: DayArrays, stratum: Stratum) -> Groups:
    """Groups of layers of a side, or of both, in the order in which they began to go."""
    lives, trades = day.lives, day.trades
    members: list[NDArray[np.int64]] = []
    for side in range(len(SIDES)):
        if stratum.side not in (POOLED, SIDES[side]):
            continue
        rows = withdrawn(day, side)
        places, first = groups_of(
            lives.ts_add[rows], lives.ts_end[rows], lives.price[rows], lives.size[rows].astype(np.int64),
            together=TOGETHER_NS, gone_together=GONE_TOGETHER_NS, least=LEAST_LAYERS,
        )  # fmt: skip
        members += np.split(rows[places], first[1:-1]) if len(places) else []
    began = np.array([lives.ts_end[part[0]] for part in members], np.int64) - day.start
    members = [members[k] for k in np.argsort(began, kind="stable")]
    # a trade takes from the side that its aggressor is not of: layers of bids go with purchases, which take offers
    trade = [trades.ts[trades.usable & (trades.aggressor == side)] - day.start for side in range(len(SIDES))]
    none = np.zeros(0, np.int64)
    return Groups(
        rows=np.concatenate([none, *members]),
        first=np.cumsum([0, *map(len, members)]),
        gone=np.sort(began),
        side=np.array([lives.side[part[0]] for part in members], np.int64),
        trade=np.concatenate([none, *trade]),
        bounds=np.cumsum([0, *map(len, trade)]),
        span=day.end - day.start,
    )


def run(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None, first: First = ()
) -> list[TestResult]:
    """`episodes`, and of the stratum of both sides `contra_pull`, which needs both.

    `more` shifts replace the first where p <= 0.05.
    """
    given = (surrogates, more)
    tests = {"episodes": partial(_episodes, day, stratum, streams.sub("episodes"), *given)}
    if stratum.side == POOLED:
        tests["contra_pull"] = partial(_contra_pull, day, stratum, streams.sub("contra_pull"), *given)
    return carried_on(tests, first)


def _shift(streams: Streams, number: int) -> int:
    return draw_shift(streams.random(number), LEAST_SHIFT, MOST_SHIFT)


def _shifted(day: DayArrays, ts: NDArray[np.int64], streams: Streams, number: int):
    """Trades of a surrogate, and which trade lies at each place."""
    return seriesshift(ts, day.start, day.end, _shift(streams, number))


def _episodes(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None, *, is_small: bool
) -> TestResult:
    found = groups(day, stratum)

    def shifts(first: int, count: int) -> NDArray[np.int64]:
        return np.array([_shift(streams, first + number) for number in range(count)], np.int64)

    def sets(first: int, count: int) -> NDArray[np.int64]:
        return found.sets(shifts(first, count), EDGES, WIDTH)

    counts = Together(found.sets(np.zeros(1, np.int64), EDGES, WIDTH)[0], sets)
    result = staged(counts, surrogates, more, rng=streams.random(EXEMPLARS), is_small=is_small)
    jitter = streams.sub("jitter")
    redrawn = Together(counts.observed, lambda first, count: found.redrawn(jitter, CELL, first, count, EDGES, WIDTH))
    other = staged(redrawn, surrogates, more, rng=jitter.random(EXEMPLARS), is_small=is_small)
    peak = result.peak()
    low, high = int(EDGES[peak[0]]), int(EDGES[peak[-1] + 1])
    lag = found.lags(0, low, high)
    hit = np.flatnonzero(lag >= 0)
    lag = lag[hit]
    share = excess_share(result.observed[peak], result.mean[peak])
    bins = zip(EDGES[peak].tolist(), EDGES[peak + 1].tolist(), share.tolist(), strict=True)
    usual, low_effect, high_effect = _usual(day, found, hit, (low, high), shifts(FIRST, result.surrogates), streams)
    episodes = TestResult(
        test_id=TEST,
        sub_id="episodes",
        stratum_json=stratum.json(),
        n_ref=len(found.gone),
        n_tgt=len(hit),
        statistic=min(result.statistic, other.statistic),
        stat_name="smaller of the largest z of a delay",
        p_raw=max(result.p, other.p),
        p_floor=max(result.p_floor, other.p_floor),
        p_method=result.p_method if result.p >= other.p else other.p_method,
        n_surrogate=min(result.surrogates, other.surrogates),
        null_method="seriesshift and jitter",
        null_param={
            "least_ns": LEAST_SHIFT,
            "most_ns": MOST_SHIFT,
            "shifted": "trades",
            "cell_ns": CELL,
            "redrawn": "withdrawals",
        },
        effect=len(hit) / max(usual, 1 / (result.surrogates + 1)),
        effect_unit="ratio",
        effect_lo=low_effect,
        effect_hi=high_effect,
        peak_value=float(np.median(lag)) / MS if len(hit) else np.nan,
        peak_unit="ms",
        peak_width=float(np.std(lag)) / MS if len(hit) else np.nan,
        weights=Weights("ns", tuple(bins)),
        exemplars=_exemplars(day, found, hit, lag, share[np.searchsorted(EDGES[peak], lag, side="right") - 1], streams),
        facts={"expected_episodes": usual, "p_shifted": result.p, "p_redrawn": other.p},
        curve=curve_of(result, EDGES[:-1] / MS, EDGES[1:] / MS, "ms", peak),
    )
    return if_enough(episodes, len(found.gone))


def _usual(
    day: DayArrays,
    found: Groups,
    hit: NDArray[np.int64],
    peak: tuple[int, int],
    shifts: NDArray[np.int64],
    streams: Streams,
) -> tuple[float, float, float]:
    """How many groups shifted trades have in the peak, and the interval of how often as many there are.

    No less than one in all shifts and the data is usual, wherever it would have been.
    """

    def by_block(which: NDArray) -> NDArray[np.int64]:
        return block_sums(day.start + found.gone[which], day.start, day.minutes)

    expected = np.zeros(day.minutes)
    for shift in shifts.tolist():
        expected += by_block(found.lags(shift, *peak) >= 0) / len(shifts)
    total = float(expected.sum())
    least = max(total, 1 / (len(shifts) + 1))
    usual = expected * (least / total) if total > 0 else np.full(day.minutes, least / day.minutes)
    return total, *ratio_interval(by_block(hit), usual, streams.random(BOOTSTRAP))


def _exemplars(
    day: DayArrays,
    found: Groups,
    hit: NDArray[np.int64],
    lag: NDArray[np.int64],
    weight: NDArray[np.float64],
    streams: Streams,
) -> Exemplars:
    """Whole groups in the peak, the nearest to its middle first; the lag of each order is from the trade."""
    middle = float(np.median(lag)) if len(lag) else 0.0
    chosen, typical = choose_links(np.abs(lag - middle), streams.random(EXEMPLARS))
    begins, ends = found.first[hit[chosen]], found.first[hit[chosen] + 1]
    lengths = ends - begins
    place = np.concatenate([np.zeros(0, np.int64), *map(np.arange, begins, ends)])
    rows, link = found.rows[place], np.repeat(np.arange(len(chosen)), lengths)
    trade = found.gone[hit] - lag
    delay = day.lives.ts_end[rows] - day.start - trade[chosen][link]
    return Exemplars("lives", rows, link, ("layer",) * len(rows), delay, weight[chosen][link], typical[link])


def _contra_pull(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None, *, is_small: bool
) -> TestResult:
    messages, trades = day.messages, day.trades
    pulled = np.flatnonzero(messages.usable & (messages.kind == kind("cancel")))
    ts = messages.ts[pulled]
    lots = [
        np.concatenate([[0], np.cumsum(np.where(messages.side[pulled] == side, messages.qty[pulled], 0))])
        for side in range(2)
    ]
    rows = np.flatnonzero(trades.usable & (trades.aggressor < 2))
    trade, aggressor = trades.ts[rows], trades.aggressor[rows].astype(np.int64)

    def pulls(times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Lots pulled after each trade, on the side of bids and of offers [2, trades]."""
        found = np.empty((2, len(times)), np.int64)
        pulled_after(ts, *lots, times, PULLED_WITHIN_NS, found)
        return found

    def share(lots_pulled: NDArray[np.int64], sides: NDArray[np.int64]) -> float:
        """Of all pulled lots those on the aggressor's own side."""
        return float(np.where(sides == 0, *lots_pulled).sum()) / max(int(lots_pulled.sum()), 1)

    def shifted(number: int) -> float:
        times, order = _shifted(day, trade, streams, number)
        return share(pulls(times), aggressor[order])

    seen = pulls(trade)
    own, both = np.where(aggressor == 0, *seen), seen.sum(axis=0)
    observed = share(seen, aggressor)
    statistics = in_stages(
        lambda first, count: np.array([observed, *(shifted(first + number) for number in range(count))]),
        mc_p, surrogates, more, is_small=is_small,
    )  # fmt: skip
    used = len(statistics) - 1
    usual = float(statistics[1:].mean())
    flips = streams.sub("signflip")
    flipped = np.mean(
        [
            share(seen, np.where(signs > 0, aggressor, 1 - aggressor))
            for signs in signflips(trade, (flips.words(k, len(trade) + 1) for k in range(1, FLIPS + 1)), SECOND_NS)
        ]
    )
    parts, wholes = (block_sums(trade, day.start, day.minutes, values) for values in (own - usual * both, both))
    low, high = ratio_interval(parts, wholes, streams.random(BOOTSTRAP))
    # messages, as everywhere: the share is of lots, and what is withdrawn in few of them is no evidence
    after = np.searchsorted(trade, ts - 1, side="right") > np.searchsorted(trade, ts - PULLED_WITHIN_NS)
    agrees = (observed - usual) * (observed - flipped) > 0
    return TestResult(
        test_id=TEST,
        sub_id="contra_pull",
        stratum_json=stratum.json(),
        n_ref=int(after.sum()),
        n_tgt=len(pulled),
        statistic=observed,
        stat_name="share of pulled volume on the aggressor's own side",
        p_raw=mc_p(statistics),
        p_floor=1 / (used + 1),
        p_method="mc",
        n_surrogate=used,
        null_method="seriesshift",
        null_param={"least_ns": LEAST_SHIFT, "most_ns": MOST_SHIFT, "shifted": "trades"},
        effect=observed - usual,
        effect_unit="share",
        effect_lo=low,
        effect_hi=high,
        peak_value=PULLED_WITHIN_NS / 1e6,
        peak_unit="ms",
        peak_width=0.0,
        notes=() if agrees else ("signs_disagree",),
        facts={"usual_share": usual, "share_with_random_signs": float(flipped)},
    )
