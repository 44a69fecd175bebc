"""Integrity of episodes and outcomes: they lie at levels that held, price was there, outcomes follow from prices."""

from __future__ import annotations

import math
from datetime import timedelta

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import BBO, EPISODE, LEVEL, OUTCOME, SNAPSHOT, collect, finding, scan

SAMPLE = 60
MATCHES = 5
MATCHES_APART_S = 30
"""Placebos of a real episode, at most."""
SIGMA_STEP_S, HALF_LIFE_S = 15, 1800
TOLERANCE = 1e-6
"""Relative difference of a sigma from its recomputation."""


def _provenance(table: str):
    def provenance_of_manifest(session: Session) -> Finding:
        """The column provenance says what the manifest says."""
        rows = collect(scan(session, table, ["episode_id", "provenance"]))
        wanted = session.partition(table).manifest.provenance
        bad = rows.filter(pl.col("provenance").cast(pl.String) != wanted)
        return finding(bad.height, bad, f"every row is of {wanted} data", rows=rows.height)

    return check(table, suite=Suite.DATA, blocking=True)(provenance_of_manifest)


def _kind(kind: str) -> pl.Expr:
    return pl.col("kind").cast(pl.String) == kind


@check(EPISODE, LEVEL, suite=Suite.DATA, blocking=True)
def at_levels_that_hold(session: Session) -> Finding:
    """Every episode lies at a level, or placebo, that held: when the touch was, or when the trigger candle began.

    Of levels in one group no other one that held then had been known for longer.
    """
    columns = ["episode_id", "level_id", "group_id", "is_placebo", "level_price_int", "ts_decision", "ts_trigger_bar"]
    episodes = collect(scan(session, EPISODE, columns)).with_columns(at=pl.coalesce("ts_trigger_bar", "ts_decision"))
    held = scan(session, LEVEL, ["level_id", "group_id", "is_placebo", "price_int", "valid_from", "valid_to"])
    levels = collect(held)
    holds = (pl.col("valid_from") <= pl.col("at")) & (pl.col("at") < pl.col("valid_to"))
    own = episodes.join(levels, on="level_id", suffix="_of_level").filter(
        holds
        & (pl.col("level_price_int") == pl.col("price_int"))
        & (pl.col("group_id") == pl.col("group_id_of_level"))
        & (pl.col("is_placebo") == pl.col("is_placebo_of_level"))
    )
    strays = episodes.join(own, on="episode_id", how="anti").select("episode_id", fault=pl.lit("no such level then"))
    since = own.select("episode_id", "group_id", "at", known=pl.col("valid_from"))
    other = levels.filter(~pl.col("is_placebo")).select("group_id", "valid_from", "valid_to")
    later = (
        since.join(other, on="group_id")
        .filter(holds & (pl.col("valid_from") < pl.col("known")))
        .select("episode_id", fault=pl.lit("another of its group was known before"))
        .unique()
    )
    bad = pl.concat([strays, later]).sort("episode_id", "fault")
    return finding(bad.height, bad, "episodes lie at levels that hold", episodes=episodes.height)


@check(EPISODE, BBO, LEVEL, suite=Suite.PHYSICS, blocking=True)
def touched_by_the_mid(session: Session) -> Finding:
    """At a touch an event brought the mid within a tick of the level, or past it; it came from the side it is said to.

    Price came to the level, not the level to price: unless the approach began with that very event, the mid before it
    was not past the level of then by more than a tick. The mid at a decision is that of the event, or the last one
    before a candle's end.
    """
    columns = [
        "episode_id",
        "kind",
        "direction",
        "ts_approach",
        "ts_decision",
        "level_price_int",
        "p0_mid2_int",
        "gap_through",
        "level_id",
    ]
    episodes = collect(scan(session, EPISODE, columns))
    quotes = collect(
        scan(session, BBO, ["ts_event", "bid_price_int", "ask_price_int"])
        .with_columns(
            # times as episodes have them: made to rise
            ts_event=pl.col("ts_event").cum_max(),
            mid2=pl.col("bid_price_int") + pl.col("ask_price_int"),
        )
        .with_columns(mid2_before=pl.col("mid2").shift(1))
    )
    tick2 = 2 * session.tick_size_int
    level2 = 2 * pl.col("level_price_int")
    touches = episodes.filter(_kind("touch"))
    events = touches.join(quotes, left_on="ts_decision", right_on="ts_event", how="inner").filter(
        pl.col("mid2") == pl.col("p0_mid2_int")
    )
    unseen = touches.join(events, on="episode_id", how="anti").select("episode_id", fault=pl.lit("no such mid then"))
    past = pl.col("direction").cast(pl.Int64) * (pl.col("p0_mid2_int") - level2)
    near = (pl.col("p0_mid2_int") - level2).abs() <= tick2
    off = touches.filter(~(near | (past > tick2)) | (pl.col("gap_through") != ~near)).select(
        "episode_id", fault=pl.lit("not at the level")
    )
    stood = pl.col("direction").cast(pl.Int64) * (pl.col("mid2_before") - level2)
    came = events.filter(((stood <= tick2) | (pl.col("ts_approach") == pl.col("ts_decision"))).fill_null(False))
    met = events.join(came, on="episode_id", how="anti").select("episode_id", fault=pl.lit("the level came to price"))
    levels = collect(scan(session, LEVEL, ["level_id", "valid_from", "price_int"])).sort("valid_from")
    approach = (
        touches.sort("ts_approach")
        .join_asof(levels, left_on="ts_approach", right_on="valid_from", by="level_id", check_sortedness=False)
        .join(quotes.select("ts_event", from_mid2="mid2"), left_on="ts_approach", right_on="ts_event", how="left")
    )
    beyond = pl.col("direction").cast(pl.Int64) * (pl.col("from_mid2") - 2 * pl.col("price_int"))
    # of events at that time, any may be the one that began it
    from_there = approach.filter((beyond <= 0).fill_null(False))
    wrong_side = touches.join(from_there, on="episode_id", how="anti")
    candles = episodes.filter(_kind("candle") & pl.col("p0_mid2_int").is_not_null()).sort("ts_decision")
    standing = candles.join_asof(
        quotes.select("ts_event", mid2="mid2"), left_on="ts_decision", right_on="ts_event", allow_exact_matches=False,
        check_sortedness=False,
    )  # fmt: skip
    other_mid = standing.filter(pl.col("mid2").ne_missing(pl.col("p0_mid2_int")))
    bad = pl.concat(
        [
            unseen,
            off,
            met.unique(),
            wrong_side.select("episode_id", fault=pl.lit("came from the other side")),
            other_mid.select("episode_id", fault=pl.lit("another mid stood then")),
        ]
    ).sort("episode_id", "fault")
    return finding(bad.height, bad, "the mid was where episodes say", episodes=episodes.height)


@check(EPISODE, SNAPSHOT, suite=Suite.PHYSICS, blocking=True)
def known_then(session: Session) -> Finding:
    """Spot and sigma of a sample of episodes follow from seconds that had ended at the decision."""
    episodes = collect(scan(session, EPISODE, ["episode_id", "ts_decision", "spot_ref_price_int", "sigma_15"]))
    if episodes.is_empty():
        return Finding(0, "no episode", {"episodes": 0})
    sample = episodes.gather_every(max(1, episodes.height // SAMPLE))
    names = ["window_end", "mid_price_int", "spot_ref_price_int", "crossed", "phase", "window_valid"]
    seconds = collect(scan(session, SNAPSHOT, names)).sort("window_end")
    usable = pl.col("window_valid") & ~pl.col("crossed") & (pl.col("phase").cast(pl.String) == "continuous")
    marks = (
        seconds.filter(pl.col("window_end").dt.truncate("15s") == pl.col("window_end"))
        .with_columns(mid=pl.when(usable).then(pl.col("mid_price_int")) / session.tick_size_int)
        .select(
            "window_end",
            change=pl.when(pl.col("window_end").diff() == timedelta(seconds=SIGMA_STEP_S)).then(pl.col("mid").diff()),
        )
        .drop_nulls()
    )
    rows = []
    for name, at, spot, sigma in sample.iter_rows():
        known = marks.filter(pl.col("window_end") <= at)
        last = seconds.filter(pl.col("window_end") <= at).tail(1)["spot_ref_price_int"]
        expected = None
        if known.height >= 20:
            age = (pl.lit(at) - pl.col("window_end")).dt.total_nanoseconds() / 1e9
            weight = pl.lit(0.5).pow(age / HALF_LIFE_S)
            total = known.select((weight * pl.col("change") ** 2).sum() / weight.sum()).item()
            expected = math.sqrt(total)
        rows.append((name, spot, last[0] if len(last) else None, sigma, expected))
    names = ["episode_id", "spot", "expected_spot", "sigma_15", "expected_sigma"]
    both = pl.DataFrame(rows, schema=names, orient="row")
    sigma, expected = pl.col("sigma_15"), pl.col("expected_sigma")
    near = (sigma - expected).abs() <= TOLERANCE * expected
    same = pl.col("spot").eq_missing(pl.col("expected_spot")) & (
        pl.when(sigma.is_null() | expected.is_null()).then(sigma.is_null() & expected.is_null()).otherwise(near)
    )
    bad = both.filter(~same)
    return finding(bad.height, bad, "what episodes know had been seen", episodes=sample.height)


@check(EPISODE, suite=Suite.DATA)
def matched_within_bounds(session: Session) -> Finding:
    """A match set is one real episode and up to five placebos of its kind and direction that are like it.

    Matched placebos of a kind and direction are half a minute or more from each other.
    """
    columns = [
        "episode_id",
        "kind",
        "direction",
        "is_placebo",
        "match_set_id",
        "valid",
        "ts_decision",
        "tod_sec",
        "sigma_60",
        "approach_speed",
    ]
    rows = collect(scan(session, EPISODE, columns))
    sets = rows.filter(pl.col("match_set_id").is_not_null())
    real = rows.filter(~pl.col("is_placebo"))
    both = sets.join(real, left_on="match_set_id", right_on="episode_id", how="left", suffix="_real")
    alike = (
        (pl.col("kind") == pl.col("kind_real"))
        & (pl.col("direction") == pl.col("direction_real"))
        & pl.col("valid")
        & pl.col("valid_real")
        & ((pl.col("tod_sec") - pl.col("tod_sec_real")).abs() <= 900)
        & ((pl.col("sigma_60") - pl.col("sigma_60_real")).abs() <= 0.2 * pl.col("sigma_60_real"))
        & (
            (pl.col("approach_speed") - pl.col("approach_speed_real")).abs()
            <= 0.25 * pl.col("approach_speed_real").abs()
        )
    )
    own = pl.col("is_placebo") | (pl.col("episode_id") == pl.col("match_set_id"))
    unlike = both.filter(~(alike & own).fill_null(False)).select("match_set_id", "episode_id")
    sizes = sets.group_by("match_set_id").agg(
        placebos=pl.col("is_placebo").sum(), real=(~pl.col("is_placebo")).sum(), episode_id=pl.col("episode_id").first()
    )
    odd = sizes.filter((pl.col("real") != 1) | ~pl.col("placebos").is_between(1, MATCHES))
    after = (pl.col("ts_decision") - pl.col("ts_decision").shift()).over("kind", "direction")
    near = sets.filter("is_placebo").sort("ts_decision").filter(after < pl.duration(seconds=MATCHES_APART_S))
    crowded = near.select(unlike.columns)
    bad = pl.concat([unlike, odd.select(unlike.columns), crowded]).sort("match_set_id", "episode_id")
    return finding(bad.height, bad, "placebos are like what they are compared with", sets=sizes.height)


@check(OUTCOME, EPISODE, suite=Suite.DATA, blocking=True)
def outcomes_of_episodes(session: Session) -> Finding:
    """Every episode has its horizons (a touch 30, 120 and 360 s, a candle 360 s), from the decision on, and no others.

    Barriers are max(least, usual moves) away; what is not valid there is not valid here.
    """
    settings = session.lake.settings.setups
    episodes = collect(scan(session, EPISODE, ["episode_id", "kind", "ts_decision", "sigma_15", "valid"]))
    horizons = pl.DataFrame(
        {"kind": ["touch", "touch", "touch", "candle"], "horizon_s": [30, 120, 360, 360]},
        schema_overrides={"horizon_s": pl.Int32},
    )
    expected = episodes.with_columns(pl.col("kind").cast(pl.String)).join(horizons, on="kind")
    stored = collect(
        scan(session, OUTCOME, ["episode_id", "horizon_s", "barrier_ticks", "ts_label_start", "ts_label_end", "valid"])
    )
    both = expected.join(stored, on=["episode_id", "horizon_s"], how="full", coalesce=True, suffix="_outcome")
    usual = settings.k_barrier * pl.col("sigma_15") * (pl.col("horizon_s") / 15).sqrt()
    barrier = pl.max_horizontal(usual.round(mode="half_to_even"), pl.lit(settings.min_barrier_ticks))
    same = (
        (pl.col("ts_label_start") == pl.col("ts_decision"))
        & (pl.col("ts_label_end") == pl.col("ts_decision") + pl.duration(seconds=pl.col("horizon_s")))
        & pl.col("barrier_ticks").eq_missing(pl.when(pl.col("sigma_15").is_not_null()).then(barrier))
        & (pl.col("valid") | ~pl.col("valid_outcome"))
    )
    bad = both.filter(~same.fill_null(False)).select("episode_id", "horizon_s").sort("episode_id", "horizon_s")
    return finding(bad.height, bad, "outcomes are those of the episodes", outcomes=both.height)


@check(OUTCOME, EPISODE, BBO, suite=Suite.PHYSICS, blocking=True)
def first_passages(session: Session) -> Finding:
    """Outcome, time of the hit and extremes of a sample of valid rows follow from the mid after the decision."""
    stored = collect(scan(session, OUTCOME).filter("valid"))
    if stored.is_empty():
        return Finding(0, "no valid outcome", {"outcomes": 0})
    sample = stored.gather_every(max(1, stored.height // SAMPLE))
    episodes = collect(scan(session, EPISODE, ["episode_id", "kind", "direction", "p0_mid2_int"]))
    quotes = collect(
        scan(session, BBO, ["ts_event", "bid_price_int", "ask_price_int"]).select(
            ts=pl.col("ts_event").cum_max(), mid2=pl.col("bid_price_int") + pl.col("ask_price_int")
        )
    )
    tick2 = 2 * session.tick_size_int
    bad = []
    for row in sample.join(episodes, on="episode_id").iter_rows(named=True):
        start, end = row["ts_label_start"], row["ts_label_end"]
        inside = quotes.filter(pl.col("ts").is_between(start, end, closed="left"))
        if row["kind"] == "touch":  # what came at its time before it, and itself
            own = (pl.col("ts") == start) & (pl.col("mid2") == row["p0_mid2_int"])
            inside = inside.filter(own.cum_max())
        moved = inside.select("ts", move=row["direction"] * (pl.col("mid2") - row["p0_mid2_int"]))
        hits = [
            (first["ts"][0], name)
            for name, sign in (("break", 1), ("reject", -1))
            if (first := moved.filter(sign * pl.col("move") >= row["barrier_ticks"] * tick2).head(1)).height
        ]
        first = min(hits, key=lambda hit: hit[0], default=(None, "chop"))
        move = [one / tick2 for one in (0, *moved["move"].to_list())]
        expected = (first[1], len(hits) == 2, max(move), max(-one for one in move), move[-1])
        found = tuple(row[name] for name in ("outcome", "whipsaw", "mfe_ticks", "mae_ticks", "end_ticks"))
        seconds = None if first[0] is None else (first[0] - start).total_seconds()
        late = row["t_hit_s"] is not None and seconds is not None and abs(row["t_hit_s"] - seconds) > 1e-5
        if expected != found or late or (row["ts_hit"] is None) != (first[0] is None):
            bad.append((row["episode_id"], row["horizon_s"], str(found), str(expected)))
    faults = pl.DataFrame(bad, schema=["episode_id", "horizon_s", "stored", "expected"], orient="row")
    return finding(faults.height, faults, "outcomes follow from the mid", outcomes=sample.height)


provenance_of_episode = _provenance(EPISODE)
provenance_of_outcome = _provenance(OUTCOME)
