"""Meetings of the random walk and a level: bridges to a touch at a drawn time, and what is made of it.

`walk` mode only. Levels stand every `spacing` ticks. When the walk is `least` to `reach` ticks from one and no meeting
is under way, the touch is set for 20 to 60 s later, and the jumps until then are a bridge: as many as the walk would
make in that time, with signs in an order in which the mid comes within a tick of the level for the first time at the
last one. All meetings use the same bridge, whatever their variant, so the shape of the approach tells nothing. After
the touch the walk is twice as fast and leans to the variant's side until it is `barrier` ticks away or the horizon is
over.

The order of signs is exact (cycle lemma: of the rotations of a sequence of m steps with sum d > 0, exactly d have
positive partial sums throughout; read backwards these are the paths that come to d for the first time at their end).
"""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.simulator.layout import (
    ASK,
    BID,
    FRONT,
    INNER,
    MAX_MEETINGS,
    MAX_STEPS,
    MAX_VARIANTS,
    R_SCRIPT,
)
from spymaster.simulator.rng import below, chance, exponential, pick
from spymaster.simulator.wake import SCRIPT, wake_at

FREE, COMING, GOING = 0, 1, 2
"""No meeting is under way; a bridge is; what follows the touch is."""
AHEAD, BEHIND, TAKEN_BEHIND = 0, 1, 2
"""Where a variant's directive acts: in front of the price, behind it, or by taking what is behind it."""
_SECOND = 1_000_000_000
_LEAST_WAIT_S, _MOST_WAIT_S = 20, 60
_FASTER = 2.0


@kernel(**INNER)
def next_jump(market):
    """When the walk jumps next, ns."""
    bridge = market.bridge
    if bridge.state == COMING:
        return market.bridge_ts[bridge.at]
    rate = market.walk_rate
    if bridge.state == GOING:
        rate *= _FASTER
    return market.clock + 1 + np.int64(exponential(market, R_SCRIPT) / rate * 1e9)


@kernel(**INNER)
def jump_sign(market):
    """+1 or -1 for the jump that is due, and what it leads to."""
    bridge = market.bridge
    if bridge.state == COMING:
        sign = market.bridge_step[bridge.at] * bridge.direction
        bridge.at += 1
        if bridge.at == bridge.n:
            bridge.state = GOING
            bridge.touched = market.clock
            bridge.moved = 0
        return sign
    if bridge.state == GOING:
        on = chance(market, R_SCRIPT, market.variants[bridge.variant].p_on)
        sign = bridge.direction if on else -bridge.direction
        bridge.moved += sign * bridge.direction
        if abs(bridge.moved) > bridge.barrier or market.clock - bridge.touched >= bridge.horizon:
            bridge.state = FREE
            bridge.again = market.clock + bridge.pause
        return sign
    return 1 if below(market, R_SCRIPT, 2) == 0 else -1


@kernel(**INNER)
def look_for_level(market):
    """After a jump: perhaps a meeting with the level ahead, above or below, begins."""
    bridge = market.bridge
    front = market.inst[FRONT]
    if bridge.state != FREE or market.clock < bridge.again or market.n_meetings >= MAX_MEETINGS:
        return
    if market.clock + (_MOST_WAIT_S * _SECOND + bridge.horizon) > bridge.last:
        return
    # ticks above and below the bid at which the levels next to it stand
    below_bid = (front.bid - bridge.origin) % bridge.spacing
    up = below(market, R_SCRIPT, 2) == 0
    away = bridge.spacing - below_bid if up else below_bid + 1
    # from below the mid is within a tick once the bid is one tick under the level; from above once the ask is one over
    steps = away - 1
    if steps < bridge.least or steps > bridge.reach:
        return
    bridge.direction = 1 if up else -1
    bridge.level = front.bid + away if up else front.ask - away
    _build(market, steps)
    _begin(market)


@kernel(**INNER)
def _build(market, steps):
    """Times and signs of the jumps to the touch."""
    bridge = market.bridge
    more_ms = below(market, R_SCRIPT, (_MOST_WAIT_S - _LEAST_WAIT_S) * 1_000)
    wait = _LEAST_WAIT_S * _SECOND + more_ms * (_SECOND // 1_000)
    touch = market.clock + wait
    n = np.int64(0)
    at = np.float64(market.clock)
    while n < MAX_STEPS - steps - 2:
        at += exponential(market, R_SCRIPT) / market.walk_rate * 1e9
        if at >= touch:
            break
        n += 1
    n = max(n + 1, steps)
    n += (n - steps) % 2
    # times: uniform in order, by the sums of exponentials
    total = 0.0
    for k in range(n):
        total += exponential(market, R_SCRIPT) + 1e-6
        market.bridge_ts[k] = np.int64(total * 1e6)
    for k in range(n):
        share = market.bridge_ts[k] / market.bridge_ts[n - 1] if k < n - 1 else 1.0
        market.bridge_ts[k] = market.clock + 1 + k + np.int64((wait - n - 2) * share)
    # signs: a random order, then one of the rotations that come to `steps` for the first time at their end
    ups = (n + steps) // 2
    for k in range(n):
        market.bridge_step[k] = 1 if k < ups else -1
    for k in range(n - 1, 0, -1):
        other = below(market, R_SCRIPT, k + 1)
        market.bridge_step[k], market.bridge_step[other] = market.bridge_step[other], market.bridge_step[k]
    wanted = below(market, R_SCRIPT, steps)
    start = np.int64(0)
    for first in range(n):
        total_steps, good = 0, True
        for k in range(n):
            total_steps += market.bridge_step[(first + k) % n]
            if total_steps <= 0:
                good = False
                break
        if good:
            start = first
            if wanted == 0:
                break
            wanted -= 1
    for k in range(n):
        market.bridge_turned[k] = market.bridge_step[(start + n - 1 - k) % n]
    for k in range(n):
        market.bridge_step[k] = market.bridge_turned[k]
    bridge.n, bridge.at, bridge.touch = n, 0, market.bridge_ts[n - 1]
    bridge.state = COMING


@kernel(**INNER)
def _begin(market):
    """Draw the variant, note the meeting, and schedule what is done before the touch."""
    bridge = market.bridge
    bridge.variant = pick(market, R_SCRIPT, market.variant_law, MAX_VARIANTS)
    variant = market.variants[bridge.variant]
    row = market.meetings[market.n_meetings]
    row.level, row.direction, row.variant = bridge.level, bridge.direction, bridge.variant
    row.start, row.touch = market.clock, bridge.touch
    market.n_meetings += 1
    ahead = ASK if bridge.direction > 0 else BID
    for k in range(market.n_directives):
        if not (variant.mask >> k) & 1:
            continue
        task = market.directives[k]
        task.side = 1 - ahead if task.most == BEHIND else ahead
        # behind the price up to the level, ahead also between the price and the level; takers look at what is behind
        asks = task.side == ASK if task.most != TAKEN_BEHIND else task.side == BID
        before = bridge.zone if task.most == AHEAD else 0
        task.low = bridge.level - before if asks else bridge.level - bridge.zone
        task.high = bridge.level + bridge.zone if asks else bridge.level - 1 + before
        task.start = max(bridge.touch - bridge.window, market.clock + 1)
        task.end = bridge.touch
        wake_at(market, task.start, SCRIPT, k, -1)
