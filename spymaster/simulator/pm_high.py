"""The scene of the demo: the market comes up to its pre-market high, finds a wall two points above, and turns.

Prices are those of ES near 6800 and times New York's. The pre-market high is 6800.00. Just before 09:44:45 buyers have
the better of it at 6799, 6800 and 6801 (asks melt, bids are added), while at 6802 resting asks grow 5 % a second to 9.3
times the usual. The price reaches the wall and stalls; the wall is pulled behind an order that hides most of itself,
and the price falls. At 10:10 it comes back and stays (chop), at 10:40 it
goes through (break).

In the options of the day customers buy calls and sell puts where buyers have the better of the future, and buy puts and
sell calls behind the wall. Strikes are five points apart, so of the prices from 6799 to 6801 only 6800 is one, and the
first above the wall is 6805: these two carry the flow.
"""

from __future__ import annotations

from datetime import date

from spymaster.simulator import scenes, scripts
from spymaster.simulator.layout import ASK, BID
from spymaster.simulator.script import Episode, OptionFlow, Script, Step, Task, clock_ns, seconds_ns

LEVEL = 6800.0
WALL = (6802.0, 6802.75)
READING = "09:44:45"
WALL_MULTIPLE = 9.3
LONG_STRIKE, SHORT_STRIKE = 6800.0, 6805.0
OPTION_TRADES = 0.8
"""Trades per second of each of the four option flows; the background has about one a minute in one of these options."""
WALL_LEFT = 3.0
"""What is left of the wall when the price turns, in times of the usual: until then its orders are pulled."""
WALL_GROWTH = 0.05
"""Growth of the wall, per second, up to the reading."""
_STALL_FROM = "09:45:08"

_PRE_MARKET = [
    ("08:00:00", 6783.0, 6796.5), ("08:40:00", 6791.0, 6797.0), ("08:48:30", 6796.5, 6798.5),
    ("08:49:40", 6799.0, 6799.5), ("08:50:00", 6799.75, 6799.9), ("08:50:25", 6799.75, 6799.9),
    ("08:51:00", 6797.5, 6799.25), ("09:00:00", 6792.0, 6797.0),
]  # fmt: skip
_LATE_PRE_MARKET = [
    ("09:00:00", 6786.0, 6797.0), ("09:09:00", 6796.5, 6798.5), ("09:10:40", 6799.0, 6799.5),
    ("09:11:00", 6799.75, 6799.9), ("09:11:25", 6799.75, 6799.9), ("09:12:00", 6797.5, 6799.25),
]  # fmt: skip
_MORNING = [
    ("09:20:00", 6788.5, 6794.0), ("09:29:00", 6789.0, 6791.0), ("09:30:00", 6789.0, 6791.0),
    ("09:33:00", 6785.0, 6790.5), ("09:37:00", 6784.5, 6790.0), ("09:39:40", 6788.5, 6792.0),
    ("09:40:40", 6791.5, 6793.0), ("09:41:15", 6790.25, 6791.75), ("09:42:05", 6794.0, 6795.5),
    ("09:42:35", 6792.75, 6794.25), ("09:43:15", 6796.0, 6797.25), ("09:43:35", 6795.25, 6796.5),
    ("09:44:00", 6797.25, 6798.25),
    ("09:44:20", 6798.375, 6799.0), ("09:44:26", 6799.0, 6799.125), ("09:44:50", 6799.0, 6799.125),
    ("09:44:55", 6799.625, 6800.125), ("09:45:03", 6801.125, 6801.375), ("09:45:08", 6801.75, 6802.0),
    ("09:45:30", 6801.75, 6802.0), ("09:45:40", 6799.75, 6800.5), ("09:45:50", 6798.25, 6799.25),
    ("09:46:00", 6797.75, 6798.75), ("09:46:50", 6794.5, 6796.0), ("09:47:15", 6795.5, 6797.0),
    ("09:47:50", 6793.75, 6795.0), ("09:48:10", 6793.25, 6794.75), ("09:49:10", 6790.0, 6792.0),
    ("09:49:45", 6791.5, 6793.25), ("09:51:00", 6788.0, 6790.0), ("09:51:40", 6789.0, 6790.75),
    ("09:52:40", 6786.0, 6788.0), ("09:53:40", 6785.0, 6786.75), ("09:54:30", 6784.5, 6786.75),
    ("09:58:00", 6784.0, 6789.0),
]  # fmt: skip
_CHOP = [
    ("10:04:00", 6789.0, 6793.5), ("10:08:00", 6795.0, 6797.0), ("10:09:40", 6797.75, 6798.75),
    ("10:10:05", 6798.5, 6799.25), ("10:10:40", 6799.5, 6800.25), ("10:11:20", 6800.375, 6801.125),
    ("10:12:10", 6800.5, 6801.0), ("10:20:05", 6800.5, 6801.0), ("10:21:30", 6798.5, 6800.25),
    ("10:26:00", 6792.5, 6796.0), ("10:34:00", 6791.0, 6796.0),
]  # fmt: skip
_BREAK = [
    ("10:38:00", 6796.0, 6798.0), ("10:39:50", 6798.0, 6799.25), ("10:40:40", 6799.75, 6800.75),
    ("10:41:50", 6801.5, 6802.5), ("10:44:10", 6802.5, 6804.0), ("10:47:00", 6807.0, 6809.0),
    ("10:49:40", 6812.75, 6814.0), ("10:51:00", 6812.5, 6814.5), ("10:56:00", 6811.0, 6816.0),
    ("11:00:00", 6810.0, 6817.0),
]  # fmt: skip


def pm_high(dt: date, start_ns: int) -> Script:
    """The script of the main date; `start_ns` is when its file starts: late files make their high later."""
    late = start_ns > clock_ns(dt, "08:30:00")
    high_at = "09:11:00" if late else "08:50:00"
    points = [*(_LATE_PRE_MARKET if late else _PRE_MARKET), *_MORNING, *_CHOP, *_BREAK]
    waypoints = scenes.path(dt, points)

    def at(wall: str) -> int:
        return clock_ns(dt, wall)

    return Script(
        name="pm_high",
        waypoints=waypoints,
        tasks=(*_high(dt, start_ns, high_at), *_reading(dt), *_rejection(dt), *_break(dt)),
        episodes=(
            Episode(1, "full_reject", "algo", LEVEL, 1, at("09:44:00"), at("09:44:55"), 16, seconds_ns(185), "reject"),
            Episode(2, "none", "algo", LEVEL, 1, at("10:09:00"), at("10:10:40"), 12, seconds_ns(560), "chop"),
            Episode(3, "full_break", "algo", LEVEL, 1, at("10:39:00"), at("10:40:40"), 24, seconds_ns(600), "break"),
        ),
        steps=(
            Step("pre_market_high", at(high_at), LEVEL),
            Step("reading", at(READING), LEVEL - 1.0),
            Step("wall", at(READING), WALL[0], WALL_MULTIPLE),
            Step("wall_growth_per_second", at(READING), WALL[0], WALL_GROWTH),
            Step("thin_bids", at(READING), 6797.5, 0.2),
            Step("stall", at(_STALL_FROM), 6801.75, 10.0),
            Step("below_again", at("09:46:00"), LEVEL),
            Step("down_4", at("09:48:00"), LEVEL - 4.0),
            Step("down_10", at("09:54:00"), LEVEL - 10.0),
            Step("chop_until", at("10:20:00"), LEVEL, 2.0),
            Step("up_6", at("10:50:00"), LEVEL + 12.0, 6.0),
        ),
        options=_option_flows(dt),
    )


def _option_flows(dt: date) -> tuple[OptionFlow, ...]:
    """What customers do in the options: for the rise as long as buyers lift the future, against it while the wall is
    there.
    """
    seen, lifted, stays = (clock_ns(dt, wall) for wall in ("09:44:20", "09:45:10", "09:45:40"))
    return (
        OptionFlow("calls_bought", "C", LONG_STRIKE, True, seen, lifted, OPTION_TRADES),
        OptionFlow("puts_sold", "P", LONG_STRIKE, False, seen, lifted, OPTION_TRADES),
        OptionFlow("puts_bought", "P", SHORT_STRIKE, True, seen, stays, OPTION_TRADES),
        OptionFlow("calls_sold", "C", SHORT_STRIKE, False, seen, stays, OPTION_TRADES),
    )


def _high(dt: date, start_ns: int, high_at: str) -> list[Task]:
    """Nothing trades above the level before 09:30, and something does at it."""
    touched = clock_ns(dt, high_at)
    return [
        scenes.guard(ASK, LEVEL, start_ns, clock_ns(dt, "09:30:00"), shown=4),
        scenes.last_trade(LEVEL, touched, touched + seconds_ns(24)),
    ]


def _reading(dt: date) -> list[Task]:
    """What stands in the book, and what moves in it, at the reading."""
    reading, seen = clock_ns(dt, READING), clock_ns(dt, "09:44:20")
    held = clock_ns(dt, "09:44:50")
    tasks = [
        # the price stays within two ticks of 6799
        scenes.guard(ASK, 6799.25, clock_ns(dt, "09:44:14"), held + seconds_ns(0.5), shown=4),
        scenes.guard(BID, 6798.75, clock_ns(dt, "09:44:26"), held + seconds_ns(0.5), shown=4),
        scenes.last_trade(6799.0, clock_ns(dt, "09:44:40"), held),
        # asks at 6799 to 6801 have been built, are bought or melt; few come anew
        *scenes.depth(
            ASK, 6799.25, 6799.25, [clock_ns(dt, "09:41:00"), clock_ns(dt, "09:43:00"), seen], [1.0, 5.0, 5.0],
        ),
        *scenes.depth(ASK, 6799.25, 6799.25, [seen, held], [5.0, 1.0], flags=scripts.MAY_PULL),
        *scenes.depth(
            ASK, 6799.5, 6801.75,
            [clock_ns(dt, "09:41:00"), clock_ns(dt, "09:43:00"), seen, clock_ns(dt, "09:44:58")], [1.0, 2.2, 2.2, 0.25],
        ),
        scenes.diverted(ASK, 6799.0, 6801.75, seen, clock_ns(dt, "09:45:10"), keep=0.15, shift=16),
        # bids below lean forward, and leave a hole behind them
        *scenes.depth(ASK, 6799.0, 6799.0, [seen, held], [0.05, 0.05], flags=scripts.MAY_PULL),
        *scenes.depth(BID, 6799.0, 6799.0, [seen, held], [0.8, 4.0], flags=scripts.MAY_ADD),
        scenes.flow(scripts.ADDS, BID, 6799.25, 6801.5, held, clock_ns(dt, "09:45:10"), per_second=20.0),
        scenes.flow(scripts.TAKES, BID, 6799.0, 6799.75, seen, held, per_second=1.5),
        scenes.flow(scripts.TAKES, BID, 6799.25, 6801.75, held, clock_ns(dt, "09:45:10"), per_second=6.0),
        *scenes.depth(
            BID, 6796.75, 6797.5, [clock_ns(dt, "09:44:12"), clock_ns(dt, "09:45:20")], [0.06, 0.06],
            flags=scripts.MAY_PULL,
        ),
        scenes.diverted(BID, 6796.75, 6797.5, clock_ns(dt, "09:44:10"), clock_ns(dt, "09:45:19"), keep=0.1, shift=24),
    ]  # fmt: skip
    return tasks + _wall(dt, reading)


def _wall(dt: date, reading: int) -> list[Task]:
    """Asks at 6802 grow to the reading, stay until the turn, and leave before it: what rests is then further away."""
    growing = [45, 40, 35, 30, 25, 20, 15, 10, 5, 0]
    times = [reading - seconds_ns(before) for before in growing]
    multiples = [round(WALL_MULTIPLE * (1.0 + WALL_GROWTH) ** -before, 4) for before in growing]
    leaves, left, stays = clock_ns(dt, "09:45:20"), clock_ns(dt, "09:45:30"), clock_ns(dt, "09:45:40")
    times += [reading + seconds_ns(4), leaves, left, clock_ns(dt, "09:46:20")]
    multiples += [round(WALL_MULTIPLE * 1.03, 4), round(WALL_MULTIPLE * 1.03, 4), WALL_LEFT, 1.0]
    growth = scenes.depth(ASK, *WALL, times, multiples, least=5, most=20)
    # whatever buys at the wall meets more than it shows
    return [*growth, scenes.guard(ASK, WALL[0], clock_ns(dt, "09:44:50"), stays, shown=8)]


def _rejection(dt: date) -> list[Task]:
    """The four conditions of a turn in the last ten seconds at the wall; bids give way on the way down."""
    start, end = clock_ns(dt, "09:45:20"), clock_ns(dt, "09:45:30")
    return scenes.conditions("full_reject", "algo", WALL[0], 1, start, end)


def _break(dt: date) -> list[Task]:
    """Asks leave and bids follow as the price goes through."""
    start, end = clock_ns(dt, "10:40:25"), clock_ns(dt, "10:40:45")
    return scenes.conditions("full_break", "algo", LEVEL, 1, start, end)
