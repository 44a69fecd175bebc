"""E7: is displayed volume withdrawn right after the *other* side trades, more often than by chance?

A rate, and no accusation: inventory, hedging and news do the same.

*Episodes*: three large orders or more on one side, one to five ticks behind the best price, entered within 2 s and
together among the largest such totals; then, within 2 s, a trade against the other side; then, within 1 s, at least
80 % of the lots of just those orders withdrawn without a fill.

*Contra pull*: of all volume pulled within 1 s after trades, the share on the side
that the trade did not take from (a natural answer to a purchase is that offers are pulled).

Against surrogates in which trades are shifted by 2 to 30 s as a whole; aggressors multiplied by random signs have to
agree in direction. (On order-book imbalance of this kind: Cartea, Jaimungal & Wang 2020; Tao et al. 2022.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import SECOND_NS, DayArrays, kind
from spymaster.evidence.bootstrap import block_sums, ratio_interval
from spymaster.evidence.maxstat import in_stages, mc_p
from spymaster.evidence.nulls import draw_shift, seriesshift, signflips
from spymaster.evidence.result import Exemplars, First, TestResult, Weights, choose_links
from spymaster.evidence.strata import POOLED, Stratum
from spymaster.evidence.streams import BOOTSTRAP, EXEMPLARS, Streams
from spymaster.jit import kernel
from spymaster.tables.types import LIFE_ENDS, SIDES

TEST = "E7"
LEAST_LAYERS = 3
TOGETHER_NS, TRADE_WITHIN_NS, GONE_WITHIN_NS = 2 * SECOND_NS, 2 * SECOND_NS, SECOND_NS
GONE_SHARE = 0.8
_BEHIND = (2, 3, 4)
"""Places in `DISTANCES` of 1 to 5 ticks."""
LEAST_SHIFT, MOST_SHIFT = 2 * SECOND_NS, 30 * SECOND_NS
FLIPS = 99


@dataclass(frozen=True)
class Layers:
    """Candidates of one side: orders (lives), and each candidate's first and last among them."""

    rows: NDArray[np.int64]
    ts: NDArray[np.int64]
    gone: NDArray[np.int64]
    """When it was withdrawn without a fill, -1 otherwise."""
    size: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


@kernel()
def window_totals(ts, size, together, totals, counts):
    """Lots and number of the orders within `together` ns up to each order."""
    start = 0
    lots = np.int64(0)
    for i in range(ts.shape[0]):
        lots += size[i]
        while ts[i] - ts[start] >= together:
            lots -= size[start]
            start += 1
        totals[i] = lots
        counts[i] = i - start + 1


@kernel()
def find_episodes(ts, gone, size, first, last, trade, trade_within, gone_within, share, at):
    """Candidates followed by a trade, then withdrawn. Returns how many; `at` takes the place of the trade, or -1."""
    n = trade.shape[0]
    found = 0
    for c in range(first.shape[0]):
        at[c] = -1
        begin = ts[last[c]]
        low, high = 0, n
        while low < high:
            middle = (low + high) // 2
            if trade[middle] < begin:
                low = middle + 1
            else:
                high = middle
        k = low
        while k < n and trade[k] - begin <= trade_within and at[c] < 0:
            left, total = np.int64(0), np.int64(0)
            for i in range(first[c], last[c] + 1):
                total += size[i]
                left += size[i] * np.int64(trade[k] < gone[i] <= trade[k] + gone_within)
            if left >= share * total:
                at[c] = k
                found += 1
            k += 1
    return found


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


def layers_of(day: DayArrays, side: int) -> Layers:
    """Candidates on a side: groups that do not overlap, each ending where its total is at its largest."""
    lives = day.lives
    behind = lives.usable & (lives.side == side) & np.isin(lives.dist_code, _BEHIND) & (lives.reprices == 0)
    rows = np.flatnonzero(behind & (lives.size >= day.law.large_behind))
    rows = rows[np.argsort(lives.ts_add[rows], kind="stable")]
    ts, size = lives.ts_add[rows], lives.size[rows].astype(np.int64)
    totals, counts = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    window_totals(ts, size, TOGETHER_NS, totals, counts)
    candidate = (counts >= LEAST_LAYERS) & (totals >= day.law.layer_total)
    # of a run of candidates that share orders the one with the largest total stands for all
    chosen: list[int] = []
    for place in np.flatnonzero(candidate)[np.argsort(-totals[candidate], kind="stable")].tolist():
        begin = place - int(counts[place]) + 1
        if all(place < other - int(counts[other]) + 1 or begin > other for other in chosen):
            chosen.append(place)
    last = np.array(sorted(chosen), np.int64)
    cancelled = (lives.reason[rows] == LIFE_ENDS.index("cancel")) & (lives.filled[rows] == 0)
    return Layers(rows, ts, np.where(cancelled, lives.ts_end[rows], -1), size, last - counts[last] + 1, last)


def run(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None, first: First = ()
) -> list[TestResult]:
    """One result: `episodes` of a stratum with a side, `contra_pull` of the stratum of both sides, which it needs.

    `more` shifts replace the first where p <= 0.05.
    """
    if first and not first[0].is_small:
        return list(first)
    small = bool(first)
    if stratum.side == POOLED:
        return [_contra_pull(day, stratum, streams.sub("contra_pull"), surrogates, more, is_small=small)]
    side = SIDES.index(stratum.side)
    return [_episodes(day, stratum, side, streams.sub("episodes"), surrogates, more, is_small=small)]


def _shifted(day: DayArrays, ts: NDArray[np.int64], streams: Streams, number: int):
    """Trades of a surrogate, and which trade lies at each place."""
    shift = draw_shift(streams.random(number), LEAST_SHIFT, MOST_SHIFT)
    return seriesshift(ts, day.start, day.end, shift)


def _episodes(
    day: DayArrays, stratum: Stratum, side: int, streams: Streams, surrogates: int, more: int | None, *, is_small: bool
) -> TestResult:
    layers = layers_of(day, side)
    # a trade takes from the side that its aggressor is not of: layers of bids go with purchases, which take offers
    trade = day.trades.ts[day.trades.usable & (day.trades.aggressor == side)]
    at = np.empty(len(layers.first), np.int64)
    blocks = np.zeros(day.minutes)

    def episodes(times: NDArray[np.int64]) -> int:
        arguments = (layers.ts, layers.gone, layers.size, layers.first, layers.last, times)
        return find_episodes(*arguments, TRADE_WITHIN_NS, GONE_WITHIN_NS, GONE_SHARE, at)

    def by_block() -> NDArray[np.int64]:
        return block_sums(layers.ts[layers.last[at >= 0]], day.start, day.minutes)

    def stage(first: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        statistics, expected = np.zeros(count + 1), np.zeros_like(blocks)
        statistics[0] = episodes(trade)
        for number in range(count):
            statistics[1 + number] = episodes(_shifted(day, trade, streams, first + number)[0])
            expected += by_block() / count
        return statistics, expected

    statistics, expected = in_stages(stage, lambda made: mc_p(made[0]), surrogates, more, is_small=is_small)
    used = len(statistics) - 1
    episodes(trade)
    seen, usual = statistics[0], max(float(statistics[1:].mean()), 1 / (used + 1))
    total = expected.sum()
    usual_by_block = expected * (usual / total) if total > 0 else np.full(day.minutes, usual / day.minutes)
    low, high = ratio_interval(by_block(), usual_by_block, streams.random(BOOTSTRAP))
    hit = np.flatnonzero(at >= 0)
    chosen, typical = choose_links(np.arange(len(hit), dtype=np.float64), streams.random(EXEMPLARS))
    members = [np.arange(int(layers.first[c]), int(layers.last[c]) + 1) for c in hit[chosen]]
    index = np.concatenate([np.zeros(0, np.int64), *members])
    lengths = np.array([len(part) for part in members], np.int64)
    delays = layers.gone[index] - trade[at[np.repeat(hit[chosen], lengths)]] if len(index) else index
    weight = max(0.0, 1 - usual / max(float(seen), 1.0))
    gone = delays[(delays > 0) & (delays <= GONE_WITHIN_NS)]
    return TestResult(
        test_id=TEST,
        sub_id="episodes",
        stratum_json=stratum.json(),
        n_ref=len(layers.first),
        n_tgt=int(seen),
        statistic=float(seen),
        stat_name="episodes",
        p_raw=mc_p(statistics),
        p_floor=1 / (used + 1),
        p_method="mc",
        n_surrogate=used,
        null_method="seriesshift",
        null_param={"least_ns": LEAST_SHIFT, "most_ns": MOST_SHIFT, "shifted": "trades"},
        effect=float(seen) / usual,
        effect_unit="ratio",
        effect_lo=low,
        effect_hi=high,
        peak_value=float(np.median(gone)) / 1e6 if len(gone) else np.nan,
        peak_unit="ms",
        peak_width=float(np.std(gone)) / 1e6 if len(gone) else np.nan,
        weights=Weights("member", ((0.0, 1.0, weight),)),
        exemplars=Exemplars(
            "lives",
            layers.rows[index],
            np.repeat(np.arange(len(chosen)), lengths),
            ("layer",) * len(index),
            delays,
            np.full(len(index), weight),
            np.repeat(typical, lengths),
        ),
        facts={"expected_episodes": float(statistics[1:].mean()), "candidates": float(len(layers.first))},
    )


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
        pulled_after(ts, *lots, times, GONE_WITHIN_NS, found)
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
    after = np.searchsorted(trade, ts - 1, side="right") > np.searchsorted(trade, ts - GONE_WITHIN_NS)
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
        peak_value=GONE_WITHIN_NS / 1e6,
        peak_unit="ms",
        peak_width=0.0,
        notes=() if agrees else ("signs_disagree",),
        facts={"usual_share": usual, "share_with_random_signs": float(flipped)},
    )
