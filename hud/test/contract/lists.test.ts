/**
 * What the page expects of episodes, analogues and evidence: `lists.json` holds one answer of each as the sidecar gives
 * it, times in seconds of the session and prices in ticks. Fields that a table does not know are null, never left to guess.
 */
import { describe, expect, it } from 'vitest';
import { gateFor } from '../../src/core/timegate.ts';
import { parseAnalogues, withPaths } from '../../src/model/analogues.ts';
import { boxes, outcomeOf, parseEpisodes, toldOutcomes } from '../../src/model/episodes.ts';
import { knownEvidence, parseEvidence, parseIntensity, parseTried } from '../../src/model/evidence.ts';
import answers from './lists.json';

const gate = gateFor('replay', 3300, 7199);

describe('episodes', () => {
  const [touch, candle] = parseEpisodes(answers.episodes);
  it('come with level, direction, touch and times', () => {
    expect(touch).toMatchObject({
      kind: 'touch',
      direction: 'up',
      levelType: 'PMH',
      tick: 27200,
      touch: 1,
      approach: 2400,
      trigger: 2662,
      decision: 2662,
      valid: true,
    });
    expect(toldOutcomes(touch!, gate)).toEqual(['300 s: reject of 8 ticks after 41 s', '60 s: not scored of 4 ticks']);
    expect(toldOutcomes(touch!, gateFor('replay', 2961, 7199))).toEqual(['60 s: not scored of 4 ticks']);
    expect(toldOutcomes(touch!, gateFor('replay', 2721, 7199))).toEqual([]);
    expect(outcomeOf(touch!, gate)).toBe('reject');
    expect(outcomeOf(touch!, gateFor('replay', 2961, 7199))).toBeNull();
  });
  it('may be of candles, without a touch, and not valid', () => {
    expect(candle).toMatchObject({ kind: 'candle', direction: 'down', touch: null, valid: false, approach: 2639 });
    expect(candle!.invalidReason).toBe('no sigma');
    expect(boxes(candle!, gate)).toEqual({ back: [2160, 2880], forward: [2880, 3240], elapsed: true });
    expect(outcomeOf(candle!, gateFor('replay', 3238, 7199))).toBeNull();
    expect(outcomeOf(candle!, gate)).toBe('not scored');
  });
});

describe('analogues', () => {
  it('come with what was asked, neighbours, and paths with gaps as no number', () => {
    const asked = withPaths(parseAnalogues(answers.analogues), answers.paths);
    expect(asked).toMatchObject({
      kind: 'touch',
      horizon: 120,
      provenance: 'simulated',
      revealed: true,
      span: [-3, 2],
    });
    expect(asked.episode).toBe(answers.analogues.query.episode_id);
    const [answer] = asked.answers;
    expect(answer).toMatchObject({ direction: 1, abstain: false, sessions: 21, effective: 9.3, novelty: 0.41 });
    expect([...answer!.odds]).toEqual([
      ['break', [0.3, 0.35]],
      ['reject', [0.5, 0.4]],
      ['chop', [0.2, 0.25]],
    ]);
    expect(answer!.neighbours[0]).toMatchObject({
      date: '2025-12-30',
      distance: 4.21,
      levelTypes: ['PMH', 'ONH'],
      touch: 2,
      outcome: 'reject',
      hit: 41.2,
      moves: [2.5, 9, -7.5],
      path: [-8, Number.NaN, -3, 0, 1.5, -2],
    });
  });
  it('tell nothing of how they ended before it is revealed', () => {
    const text = JSON.stringify([answers.concealed, answers.concealed_paths]);
    expect(text).not.toMatch(/"p0?_|outcome|t_hit|mfe|mae|end_/);
    const asked = withPaths(parseAnalogues(answers.concealed), answers.paths); // even where more is told
    expect(asked.answers[0]!.odds.size).toBe(0);
    expect(asked.answers[0]!.neighbours[0]).toMatchObject({ outcome: null, hit: null, moves: null });
    expect(asked.answers[0]!.neighbours[0]!.path).toEqual([-8, Number.NaN, -3, 0]);
    expect(asked.span).toEqual([-3, 0]);
  });
  it('may abstain with a reason', () => {
    const [answer] = parseAnalogues(answers.abstaining).answers;
    expect(answer).toMatchObject({ abstain: true, reason: 'few_sessions', provisional: true, neighbours: [] });
    expect(answer!.odds.size).toBe(0);
  });
});

describe('evidence', () => {
  it('comes with effect, interval, null, days and controls, and may be blocked', () => {
    const known = knownEvidence(parseEvidence(answers.evidence), gate);
    const [supported, blocked] = known;
    expect(supported).toMatchObject({
      test: 'E4',
      effect: 0.021,
      low: 0.014,
      high: 0.028,
      q: 0.003,
      pFloor: 0.001,
      daysReplicated: 17,
      verdict: 'supported',
      blocked: false,
    });
    expect(blocked).toMatchObject({ blocked: true, daysSeen: null });
    expect(known.at(-1)).toMatchObject({ verdict: 'fact', earlier: true, availableFrom: -1 });
  });
  it('says what was tried, and how intense it was', () => {
    expect(parseTried(answers.evidence)).toEqual([{ test: 'E4', groups: 51, found: 1 }]);
    expect(parseIntensity(answers.evidence).map((row) => row.share)).toEqual([0.041, Number.NaN]);
  });
});
