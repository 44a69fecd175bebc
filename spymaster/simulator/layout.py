"""The whole market as one record, so that a kernel takes one pointer and names what it touches.

In words:

- `inst` holds one row per instrument (`FRONT`, `NEXT`, `SPREAD`): best bid and ask as ticks of its own ladder, the
  price of tick 0, last trade, counts, and the checksum of its book.
- `cells` is the ladder: one row per instrument, tick and side, ``cell = (inst * TICKS + tick) * 2 + side`` with bid 0
  and ask 1; columns first and last slot of the queue (-1 empty), quantity shown, number of orders.
- `orders` is one 64-byte row per resting order, linked into the queue of its cell by `prev` and `next` and listed at
  `lists[cls, where]` among the orders of its patience class; `free` is the stack of unused slots.
- `touched` is what the running event did to resting orders, in the order in which the feed must say it.
- `heap` holds wake-ups (time, what, whom) as a binary heap.
- `out` receives MBO records, `events`, `tags`, `seconds` and `levels` the truth about them; all are
  drained when one of them is nearly full.
- `agents` are the planted participants, each with the orders that it holds; `responses` says what they answered, and
  `planted` how many messages they wrote, `scripted` how many scripts did.
- `path` and `directives` are a script: the band of the mid price, and tasks; see `scripts`.
- laws (`size_law` ...) are alias tables: a 32-bit threshold and the other outcome for each outcome.

Ticks are offsets from `inst.origin` in units of `inst.tick_size`; times are ns UTC; probabilities named `p_` are in
units of 2^-32.
"""

from __future__ import annotations

import numpy as np

from spymaster.market.dbn import MBO_DTYPE

INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "literals": False}
"""Options of kernels that only kernels call: what Python would need is not compiled, and constants make no versions."""

FRONT, NEXT, SPREAD = 0, 1, 2
INSTRUMENTS = 3
TICKS = 16_384
MIDDLE = TICKS // 2
BID, ASK = 0, 1
HEAD, TAIL, QTY, COUNT = 0, 1, 2, 3
NO_BID, NO_ASK = -1, TICKS

CLASSES = 8
FAR = 7
"""Class of orders that were there before the session and outlive it; the others are the patience classes."""
AGENT_CLASS = 8
"""Class of orders of agents: only their agent cancels them."""
FIRST_DAYS_LONG = 5
"""Classes from this one on are good till cancelled; the shorter ones end with the session."""

MAX_ORDERS = 1 << 18
MAX_TOUCHED = 1 << 14
MAX_STOPS = 512
MAX_META = 16
MAX_WAKE = 1 << 16
MAX_AGENTS = 16
MAX_HELD = 32
"""Orders that an agent holds at a time."""
MAX_SIZES = 8
"""Orders of a fingerprint."""
MAX_PATH = 512
MAX_DIRECTIVES = 256
MAX_PENDING = 4_096
"""Trades that scripts are about to answer to."""
MAX_STEPS = 512
"""Jumps of a bridge."""
MAX_VARIANTS = 16
MAX_MEETINGS = 1_024
FIRST_SCRIPT = 1_000
"""Number of a script as an agent: this and the kind of the directive that acts."""
REST_STEPS = 4_096
CHUNK = 1 << 17
"""Records of the output buffer that are filled before it is drained."""
MARGIN = 3 * MAX_TOUCHED
"""Records beyond `CHUNK`: no event has more."""
SECONDS = 1_024
LEVELS = 20

MAX_SIZE = 500
MAX_DISTANCE = 600
BUCKETS = 6
"""Distance buckets of the patience law: at the best, +1, +2, 3-5, 6-20, beyond."""
EXP_STEPS = 4_096
DECAY_STEPS = 256
KERNELS = 4
LOGIT_STEPS = 200
PROFILE_TICKS = 24
LATENCY_STEPS = 4_096

CLOSED, PRE_OPEN, CONTINUOUS = 0, 1, 2
EMERGENT, WALK = 0, 1
NEVER = (1 << 63) - 1
"""A time that no event has."""

R_CLOCK, R_PRICE, R_FLOW, R_FEED, R_BOOK, R_META = 0, 1, 2, 3, 4, 5
LAYERS = 6
R_SCRIPT = LAYERS + MAX_AGENTS
STREAMS = LAYERS + MAX_AGENTS + 1
"""Random streams: one per layer, then one per agent, then that of scripts."""

K_PARTIAL, K_REFILL, K_FULL, K_IMPLIED, K_AUCTION = 1, 2, 4, 8, 16
K_UNKNOWN, K_SMP, K_OVERSIZE, K_STOP, K_REST, K_SLIP, K_EARLY_ADD = 32, 64, 128, 256, 512, 1024, 2048
EVENT_KINDS = {
    "partial": K_PARTIAL,
    "refill": K_REFILL,
    "full": K_FULL,
    "implied": K_IMPLIED,
    "auction": K_AUCTION,
    "unknown_fill": K_UNKNOWN,
    "smp_cancel": K_SMP,
    "oversize_fill": K_OVERSIZE,
    "stop": K_STOP,
    "rest": K_REST,
    "fifo_slip": K_SLIP,
    "add_before_changes": K_EARLY_ADD,
}
"""What happened inside an event, as bits of its `kind`."""

DONE, DRAIN, ORDERS_FULL, LADDER_END, WAKE_FULL, EVENT_FULL = 0, 1, 2, 3, 4, 5
"""Why the market stopped running."""

ORDER = np.dtype(
    [
        ("id", "i8"),
        ("ts", "i8"),  # when it took its place in the queue
        ("hash", "u8"),  # its part of the book's checksum
        ("seq", "u4"),
        ("cell", "i4"),
        ("qty", "i4"),  # shown
        ("hidden", "i4"),
        ("peak", "i4"),
        ("prev", "i4"),
        ("next", "i4"),
        ("where", "i4"),
        ("touch", "i4"),  # its row in `touched`, -1 outside events
        ("agent", "i2"),
        ("cls", "u1"),
        ("live", "u1"),
    ],
    align=True,
)

INSTRUMENT = np.dtype(
    [
        ("id", "i8"),
        ("origin", "i8"),  # price of tick 0, 1e-9
        ("tick_size", "i8"),
        ("bid", "i8"),
        ("ask", "i8"),
        ("last", "i8"),  # tick of the last trade, -1 before the first
        ("first", "i8"),
        ("high", "i8"),
        ("low", "i8"),
        ("volume", "i8"),
        ("n_orders", "i8"),
        ("checksum", "u8"),
        ("repair", "i8"),  # whether a wake-up to close the spread is under way
        ("seen_bid", "i8"),  # best prices when observers were last told
        ("seen_ask", "i8"),
    ],
    align=True,
)

TOUCH = np.dtype(
    [("id", "i8"), ("slot", "i4"), ("cell", "i4"), ("shown", "i4"), ("left", "i4")],
    align=True,
)
"""`shown` is what the feed showed before the event, `left` what it shows after."""

EVENT = np.dtype(
    [("event_id", "i8"), ("ts", "i8"), ("pattern", "u8"), ("n", "i4"), ("kind", "i4"), ("inst", "i4"), ("pad", "i4")],
    align=True,
)
"""`pattern` has the first 16 actions as four-bit codes, the first one highest."""

TAG = np.dtype(
    [("id", "i8"), ("hidden", "i4"), ("meta", "i4"), ("agent", "i2"), ("cls", "u1"), ("stop", "u1")], align=True
)
SECOND = np.dtype(
    [("end", "i8"), ("inst", "i8"), ("n_orders", "i8"), ("checksum", "u8"), ("origin", "i8"), ("tick_size", "i8")],
    align=True,
)
LATENT = np.dtype(
    [
        ("end", "i8"),
        ("rate", "f8"),  # messages per second asked for
        ("shape", "f8"),  # e^(X - s^2 / 2)
        ("excitement", "f8"),  # H
        ("walk", "i8"),
        ("meta_net", "i8"),
        ("meta_left", "i8"),
        ("messages", "i8"),
    ],
    align=True,
)
QUOTE = np.dtype([("ts", "i8"), ("bid", "i8"), ("ask", "i8")], align=True)
WAKE = np.dtype([("ts", "i8"), ("what", "i8"), ("whom", "i8"), ("data", "i8")], align=True)
HELD = np.dtype(
    [
        ("state", "i8"), ("slot", "i8"), ("id", "i8"), ("side", "i8"), ("tick", "i8"), ("n", "i8"),
        ("event", "i8"), ("ts", "i8"),
    ],
    align=True,
)  # fmt: skip
"""An order that an agent holds or is about to place, and the event (id, time) that it answers to; `n` counts moves, or
what is left to place."""

AGENT = np.dtype(
    [
        ("id", "i8"), ("kind", "i8"), ("inst", "i8"), ("stream", "i8"),
        ("size", "i8"), ("total", "i8"), ("distance", "i8"), ("orders", "i8"), ("chain", "i8"),
        ("period", "i8"), ("jitter", "i8"), ("cycle", "i8"), ("busy", "i8"),  # ns
        ("lag", "i8"), ("lag_sd", "i8"), ("life", "i8"),  # ns
        ("p", "i8"), ("trigger", "i8"), ("action", "i8"), ("aligned", "i8"), ("least", "i8"),
        ("gamma", "i8"), ("anchor", "i8"),
        ("vary", "i8"), ("sizes", "i8", (MAX_SIZES,)),  # contracts
        ("start", "i8"), ("due", "i8"), ("episode", "i8"),
        ("held", HELD, (MAX_HELD,)),
    ],
    align=True,
)  # fmt: skip
WAYPOINT = np.dtype([("ts", "i8"), ("low", "i8"), ("high", "i8")], align=True)
"""A row of a script's path; prices are twice the tick, so that mids are whole."""
ZONE = np.dtype([("low", "i8"), ("high", "i8"), ("keep", "i8"), ("shift", "i8"), ("until", "i8")], align=True)
DIRECTIVE = np.dtype(
    [
        ("kind", "i8"), ("side", "i8"), ("low", "i8"), ("high", "i8"), ("start", "i8"), ("end", "i8"),
        ("first", "f8"), ("last", "f8"), ("flags", "i8"), ("size", "i8"), ("most", "i8"),
        ("action", "i8"), ("timing", "i8"), ("period", "i8"), ("lag", "i8"), ("spread", "i8"), ("p", "i8"),
        ("base", "f8"), ("slot", "i8"), ("order_id", "i8"),
    ],
    align=True,
)  # fmt: skip
"""A task of a script; `base`, `slot` and `order_id` are what it remembers."""
TICKET = np.dtype(
    [
        ("what", "i8"), ("task", "i8"), ("data", "i8"), ("side", "i8"), ("tick", "i8"), ("qty", "i8"),
        ("hidden", "i8"), ("slot", "i8"),
    ],
    align=True,
)  # fmt: skip
"""What a script has just decided; `task` is the directive, -1 the path."""
BRIDGE = np.dtype(
    [
        ("on", "i8"), ("state", "i8"), ("level", "i8"), ("direction", "i8"), ("variant", "i8"), ("touch", "i8"),
        ("n", "i8"), ("at", "i8"), ("touched", "i8"), ("moved", "i8"), ("again", "i8"),
        ("origin", "i8"), ("spacing", "i8"), ("least", "i8"), ("reach", "i8"), ("barrier", "i8"),
        ("horizon", "i8"), ("pause", "i8"), ("window", "i8"), ("zone", "i8"), ("last", "i8"),
    ],
    align=True,
)  # fmt: skip
"""Meetings of the walk and a level: the one under way, then what decides on the next (see `bridge`)."""
VARIANT = np.dtype([("mask", "i8"), ("p_on", "i8")], align=True)
"""Directives of a variant, as bits, and the probability of a jump onwards after the touch."""
MEETING = np.dtype(
    [("level", "i8"), ("direction", "i8"), ("variant", "i8"), ("start", "i8"), ("touch", "i8")], align=True
)
PENDING = np.dtype([("event", "i8"), ("ts", "i8"), ("left", "i8")], align=True)
RESPONSE = np.dtype([("agent", "i8"), ("event", "i8"), ("id", "i8"), ("ts_trigger", "i8"), ("ts", "i8")], align=True)
STOP = np.dtype([("id", "i8"), ("tick", "i8"), ("qty", "i8")], align=True)
META = np.dtype([("id", "i8"), ("side", "i8"), ("left", "i8")], align=True)

MARKET = np.dtype(
    [
        # clock
        ("clock", "i8"), ("until", "i8"), ("day", "i8"), ("next_second", "i8"), ("second", "i8"),
        ("phase", "i8"), ("mode", "i8"), ("code", "i8"),
        # feed
        ("closing_from", "i8"), ("channel", "i8"), ("last_flag", "i8"), ("next_id", "i8"), ("sequence", "i8"),
        ("last_recv", "i8"), ("recv", "i8"), ("n", "i8"), ("event_from", "i8"), ("event_id", "i8"),
        ("event_kind", "i8"), ("after_fill", "i8"), ("n_touched", "i8"),
        ("n_events", "i8"), ("n_tags", "i8"), ("n_seconds", "i8"), ("n_latent", "i8"),
        ("n_quotes", "i8"), ("messages", "i8"), ("events_total", "i8"),
        # flow
        ("control", "f8"), ("events_per_message", "f8"), ("rate", "f8"), ("cancel_rate", "f8"), ("pace", "f8"),
        ("reference_rate", "f8"), ("branching", "f8"), ("excitement", "f8"),
        ("target_orders", "f8"), ("crowding", "f8"), ("walk_rate", "f8"), ("walk", "i8"), ("carry", "i8"),
        ("theta_ref", "i8"), ("theta_reinit", "i8"), ("repair_orders", "i8"),
        ("retreat", "f8"), ("news_rate", "f8"), ("foresight", "f8"), ("flow_sign", "f8"),
        ("p_iceberg", "i8"), ("p_stop", "i8"), ("p_limit", "i8"), ("p_smp", "i8"), ("p_unknown", "i8"),
        ("p_oversize", "i8"), ("p_slip", "i8"), ("p_early_add", "i8"), ("p_round", "i8"), ("p_meta", "i8"),
        ("p_follow", "i8"), ("p_exact", "i8"), ("p_implied", "i8"), ("round_ticks", "i8"), ("max_levels", "i8"),
        ("n_free", "i8"), ("high_slot", "i8"), ("n_wake", "i8"),
        ("n_meta", "i8"), ("meta_id", "i8"),
        ("n_agents", "i8"), ("planted", "i8"), ("n_responses", "i8"),
        ("told_bid", "i8"), ("told_ask", "i8"), ("told_volume", "i8"), ("watch_adds", "i8"),
        ("told_event", "i8"),
        ("n_path", "i8"), ("path_at", "i8"), ("n_directives", "i8"), ("pending_at", "i8"), ("scripted", "i8"),
        ("scripted_volume", "i8"),
        ("n_meetings", "i8"),
        # small arrays
        ("n_class", "i8", (CLASSES + 1,)), ("theta", "f8", (CLASSES,)), ("modify_weight", "f8", (CLASSES,)),
        ("phi", "f8", (KERNELS,)), ("jump", "f8", (KERNELS,)), ("per_half_life", "f8", (KERNELS,)),
        ("rng", "u8", (STREAMS, 4)), ("n_stops", "i8", (2,)), ("stop_edge", "i8", (2,)),
        ("mean_queue", "f8", (PROFILE_TICKS,)),
        ("inst", INSTRUMENT, (INSTRUMENTS,)),
        ("meta", META, (MAX_META,)),
        ("stops", STOP, (2, MAX_STOPS)),
        ("agents", AGENT, (MAX_AGENTS,)),
        ("zones", ZONE, (2,)), ("ticket", TICKET), ("bridge", BRIDGE),
        ("variants", VARIANT, (MAX_VARIANTS,)), ("variant_law", "i8", (MAX_VARIANTS, 2)),
        ("bridge_ts", "i8", (MAX_STEPS,)), ("bridge_step", "i8", (MAX_STEPS,)), ("bridge_turned", "i8", (MAX_STEPS,)),
        ("meetings", MEETING, (MAX_MEETINGS,)),
        ("path", WAYPOINT, (MAX_PATH,)),
        ("directives", DIRECTIVE, (MAX_DIRECTIVES,)),
        ("pending", PENDING, (MAX_PENDING,)),
        ("rested", "i8", (2, REST_STEPS)), ("rested_before", "i8", (2, REST_STEPS)),
        # laws
        ("size_law", "i8", (MAX_SIZE + 1, 2)), ("market_law", "i8", (MAX_SIZE + 1, 2)),
        ("distance_law", "i8", (MAX_DISTANCE + 1, 2)), ("class_law", "i8", (BUCKETS, CLASSES, 2)),
        ("kind_law", "i8", (4, 2)), ("modify_law", "i8", (4, 2)), ("inst_law", "i8", (INSTRUMENTS, 2)),
        ("far_law", "i8", (2, TICKS // 2, 2)), ("meta_law", "i8", (5_000, 2)),
        ("exp_table", "f8", (EXP_STEPS + 1,)), ("decay_table", "f8", (DECAY_STEPS + 1,)),
        ("logit", "i8", (LOGIT_STEPS + 1,)), ("power", "f8", (LOGIT_STEPS + 1,)),
        ("latency", "i8", (LATENCY_STEPS,)),
        # large arrays
        ("base", "f8", (86_400,)), ("shape", "f8", (86_400,)), ("plan", "f8", (86_401,)),
        ("heap", WAKE, (MAX_WAKE,)),
        ("touched", TOUCH, (MAX_TOUCHED,)),
        ("free", "i4", (MAX_ORDERS,)),
        ("lists", "i4", (CLASSES + 1, MAX_ORDERS)),
        ("cells", "i4", (INSTRUMENTS * TICKS * 2, 4)),
        ("orders", ORDER, (MAX_ORDERS,)),
        ("out", MBO_DTYPE, (CHUNK + MARGIN,)),
        ("events", EVENT, (CHUNK // 2 + MARGIN,)),
        ("tags", TAG, (CHUNK + MARGIN,)),
        ("seconds", SECOND, (SECONDS * INSTRUMENTS + 8,)),
        ("levels", "i4", (SECONDS * INSTRUMENTS + 8, 2, 3, LEVELS)),
        ("latent", LATENT, (SECONDS + 8,)),
        ("quotes", QUOTE, (CHUNK + MARGIN,)),
        ("responses", RESPONSE, (CHUNK + MARGIN,)),
    ],
    align=True,
)  # fmt: skip


def empty_market() -> np.ndarray:
    """A market without instruments or orders: an array of one record."""
    market = np.zeros(1, MARKET)
    market["cells"][0, :, :2] = -1
    market["inst"]["bid"], market["inst"]["ask"] = NO_BID, NO_ASK
    market["inst"]["last"] = market["inst"]["first"] = market["inst"]["high"] = market["inst"]["low"] = -1
    market["inst"]["seen_bid"], market["inst"]["seen_ask"] = NO_BID, NO_ASK
    market["out"]["length"], market["out"]["rtype"] = 14, 160
    market["stop_edge"][0, 0], market["stop_edge"][0, 1] = 1 << 40, -(1 << 40)
    return market
