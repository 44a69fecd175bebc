"""Compiled loop over the candles of a date and every level: which candle met it, and from which side."""

from __future__ import annotations

from typing import Final

from spymaster.jit import kernel

CROSS, PIERCE, CONTACT = 0, 1, 2
REST_BARS: Final = 5
"""From one trigger of a group or level to the next: trigger, confirmation, and the three candles it is judged by."""


@kernel()
def triggers(track, price, begin, end, bar, start, high, low, close, usable, priced, tick, found):
    """Find every meeting. Returns how many there are; those beyond the length of `found` are not stored.

    None is left out for the one before it: which ones count is not known before levels are put into groups
    (`episodes.rested`).

    Stretches of levels, those of one level together and in order: track, price, begin, end int64[s]. Candles in order:
    bar (number since the epoch), start, high, low, close int64[n]; usable says which may be a trigger, priced which
    have prices. found int64[m, 4]: stretch, candle, direction, kind.
    """
    count = 0
    n = bar.shape[0]
    s = 0
    while s < track.shape[0]:
        last = s
        while last + 1 < track.shape[0] and track[last + 1] == track[s]:
            last += 1
        for k in range(n):
            while s <= last and end[s] <= start[k]:
                s += 1
            if s > last:
                break
            if begin[s] <= start[k] and usable[k]:
                level = price[s]
                way = 0
                for back in range(1, 3):
                    j = k - back
                    if j < 0 or bar[j] != bar[k] - back or not priced[j]:
                        break
                    if close[j] != level:
                        way = 1 if close[j] < level else -1
                        break
                if way != 0:
                    far = high[k] if way == 1 else low[k]
                    kind = -1
                    if way * (close[k] - level) >= tick:
                        kind = CROSS
                    elif way * (far - level) >= tick:
                        kind = PIERCE
                    elif way * (far - level) >= -tick:
                        kind = CONTACT
                    if kind >= 0:
                        if count < found.shape[0]:
                            found[count, 0] = s
                            found[count, 1] = k
                            found[count, 2] = way
                            found[count, 3] = kind
                        count += 1
        s = last + 1
    return count
