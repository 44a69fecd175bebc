"""Compiled loop of the outcomes: how the mid moved between a decision and the end of its horizon."""

from __future__ import annotations

from spymaster.jit import kernel

NO_HIT = -1


@kernel()
def passages(ts, mid2, first, begin, end, start2, way, center2, barrier2, hits, extremes):
    """First passages through barriers around the mid at the decision and around the level, and extremes.

    Changes of the mid: ts and mid2 int64[n]. Episodes: first int64[m] the first change after the decision, begin and
    end int64[m] ns, start2 twice the mid at the decision, way its direction, center2 twice the level, barrier2 twice
    the distance of the barriers; all in 1e-9. hits int64[m, 4]: around the mid, the first time along the way and the
    first against it; around the level, which came first (1 along, -1 against, 0 none), and when; `NO_HIT` for never.
    extremes int64[m, 3]: furthest along, furthest against, and last, twice in 1e-9.
    """
    for i in range(first.shape[0]):
        along, against, best, worst, last = NO_HIT, NO_HIT, 0, 0, 0
        side, at = 0, NO_HIT
        off = way[i] * (start2[i] - center2[i])
        if off >= barrier2[i]:
            side, at = 1, begin[i]
        elif off <= -barrier2[i]:
            side, at = -1, begin[i]
        k = first[i]
        while k < ts.shape[0] and ts[k] < end[i]:
            last = way[i] * (mid2[k] - start2[i])
            if last > best:
                best = last
            if -last > worst:
                worst = -last
            if along == NO_HIT and last >= barrier2[i]:
                along = ts[k]
            if against == NO_HIT and last <= -barrier2[i]:
                against = ts[k]
            if side == 0:
                off = way[i] * (mid2[k] - center2[i])
                if off >= barrier2[i]:
                    side, at = 1, ts[k]
                elif off <= -barrier2[i]:
                    side, at = -1, ts[k]
            k += 1
        hits[i, 0], hits[i, 1], hits[i, 2], hits[i, 3] = along, against, side, at
        extremes[i, 0], extremes[i, 1], extremes[i, 2] = best, worst, last
