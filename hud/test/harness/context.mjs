/** Lists of the made-up session: levels, candles, episodes, analogues, evidence, overview, inspect, reading. */
export function context(scene, missing) {
  const { spot, seconds, level } = scene;
  const until = (query) => Number(query.get('as_of') ?? seconds - 1);
  const levels = [
    ['PMH', level, 1800, 'ES:2026-01-06:PMH:0', 'g1'],
    ['OVERNIGHT', level + 1, 1800, 'x', 'g9'],
    ['PML', level - 70, 1800, 'pml', 'g2'],
    ['PDC', level - 22, 0, 'pdc', 'g3'],
    ['ORH5', level - 2, 2100, 'orh5', 'g4'],
    ['ORL5', level - 24, 2100, 'orl5', 'g5'],
    ['SMA200', level - 30, 0, 'sma', 'g6'],
    ['ONH', level + 1, 1800, 'onh', 'g1'],
  ].filter(([type]) => type !== 'OVERNIGHT');
  const lists = {
    levels: (query) => ({
      levels: levels
        .filter(([, , from]) => from <= until(query))
        .map(([level_type, price_tick, valid_from, level_id, group_id]) => ({
          level_id,
          level_type,
          price_tick,
          valid_from,
          valid_to: null,
          is_moving: level_type.startsWith('SMA'),
          group_id,
          tags: [level_type],
          is_placebo: false,
        })),
    }),
    candles: () => ({ candles: [] }),
    overview: (query) => ({
      minutes: Array.from({ length: Math.floor((until(query) + 1) / 60) }, (_, m) => {
        const part = spot.slice(m * 60, m * 60 + 60);
        return {
          from: m * 60,
          spot_min: Math.min(...part),
          spot_max: Math.max(...part),
          spot_close: part.at(-1),
          valid_share: m === 15 ? 0.5 : 1,
        };
      }),
    }),
    episodes: (query) => ({
      episodes: [
        {
          episode_id: 'touch:1',
          kind: 'touch',
          direction: 'up',
          level_types: ['PMH'],
          level_tick: level,
          touch_index: 1,
          approach: 2400,
          trigger: 2660,
          decision: 2662,
          outcome: 'reject',
          outcome_at: 3022,
        },
        {
          episode_id: 'candle:1',
          kind: 'candle',
          direction: 'up',
          level_types: ['PMH'],
          level_tick: level,
          touch_index: null,
          approach: 2400,
          trigger: 2639,
          decision: 2879,
          outcome: 'reject',
          outcome_at: 3239,
        },
      ]
        .filter((e) => e.decision <= until(query))
        .map((e) => (e.outcome_at <= until(query) ? e : { ...e, outcome: null, outcome_at: null })),
    }),
    evidence: (query) => ({
      evidence: [
        {
          test_row_id: 'a',
          test_id: 'E4',
          stratum: 'adds, all bands',
          effect: 0.021,
          effect_lo: 0.014,
          effect_hi: 0.028,
          effect_unit: 'share',
          q_bh: 0.003,
          null_method: 'uniform phase',
          days_seen: 20,
          days_replicated: 17,
          is_negative_control: false,
          verdict: 'supported',
          available_from: 2000,
          histogram: [4, 5, 4, 12, 5, 4, 4, 5],
          null_hi: [6, 6, 6, 6, 6, 6, 6, 6],
        },
        {
          test_row_id: 'b',
          test_id: 'E4',
          stratum: 'trades, shuffled',
          effect: 0.001,
          effect_lo: -0.004,
          effect_hi: 0.006,
          effect_unit: 'share',
          q_bh: 0.8,
          null_method: 'uniform phase',
          days_seen: 20,
          days_replicated: 1,
          is_negative_control: true,
          verdict: 'none',
          available_from: 2000,
          histogram: [5, 4, 5, 5, 4, 5, 5, 4],
          null_hi: [6, 6, 6, 6, 6, 6, 6, 6],
        },
      ].filter((e) => e.available_from <= until(query)),
      tests: until(query) >= 2000 ? [{ test_id: 'E4', groups: 51, found: 1 }] : [],
      intensity: Array.from({ length: Math.floor((until(query) + 1) / 60) }, (_, m) => ({
        from: m * 60,
        n: 2400,
        share: 0.03 + 0.001 * (m % 7),
        usual: 0.03,
      })),
    }),
  };
  return (path, query) => {
    if (missing.has(path)) return null;
    if (path in lists) return lists[path](query);
    const episode = /^episodes\/(.*)\/analogues$/.exec(path)?.[1];
    if (episode !== undefined) return analogues(query, decodeURIComponent(episode));
    if (path === 'inspect')
      return {
        tables: {
          'silver.wall_surface_1s': {
            rows: [{ window_end: '1', side: 'A', depth_qty_end: 41, add_qty: 7 }],
            units: { depth_qty_end: 'lots', add_qty: 'lots' },
          },
          'silver.pressure_surface_1s': {
            rows: [
              {
                bucket_price_int: (level + 8) * 250_000_000,
                net_pressure: -0.4,
                long_pressure: 0.6,
                short_pressure: 1.4,
                book_long: 41,
                book_short: 12,
                trade_long: 0,
                trade_short: 2.5,
                option_long: 6,
                option_short: 3,
                rest_long: 0,
                rest_short: 930,
              },
            ],
            units: { book_long: 'lots' },
            usual: { book_long: 20, book_short: 24, trade_long: 4, trade_short: 5, option_long: 2, rest_short: 100 },
          },
        },
      };
    return null;
  };
}

/** An answer like that of the sidecar, see `test/contract/lists.json`: of an episode, or of a second. */
export function analogues(query, episode = null) {
  const revealed = query.get('reveal') === 'true';
  return {
    query: { kind: 'touch', horizon_s: 120, episode_id: episode },
    provenance: 'simulated',
    revealed,
    answers: (episode === null ? [1, -1] : [1]).map((direction) => ({
      direction,
      result: {
        query_id: `q:${direction}`,
        abstain: false,
        n_sessions: 17,
        n_eff: 9.3,
        novelty: 0.4,
        ...(revealed
          ? { p_break: 0.3, p0_break: 0.35, p_reject: 0.5, p0_reject: 0.4, p_chop: 0.2, p0_chop: 0.25 }
          : {}),
      },
      neighbours: Array.from({ length: 12 }, (_, i) => ({
        rank: i + 1,
        session_date: `2025-12-${String(i + 8).padStart(2, '0')}`,
        direction,
        distance: 0.2 + 0.05 * i,
        weight: 1 / (i + 1),
        level_types: ['PMH'],
        touch_index: 1 + (i % 3),
        ...(revealed ? { outcome: ['reject', 'break', 'chop'][i % 3], t_hit_s: i % 3 === 2 ? null : 10 + i } : {}),
      })),
    })),
  };
}

/** Their paths. */
export function analoguePaths(scene, query) {
  const revealed = query.get('reveal') === 'true';
  const length = revealed ? 121 : 61;
  return {
    query_id: query.get('query_id'),
    revealed,
    first_s: -60,
    last_s: length - 61,
    paths: Array.from({ length: 12 }, (_, i) => ({
      rank: i + 1,
      ticks: Array.from({ length }, (_, k) => (k === 60 ? 0 : -8 + k / 8 + 2 * scene.hash(i, k))),
    })),
  };
}
