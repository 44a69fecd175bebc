/** What every panel reads. Panels never fetch and never compare times themselves. */
import type { HudState } from '../core/store.ts';
import type { TimeLabels } from '../core/time.ts';
import type { Gate } from '../core/timegate.ts';
import type { Analogues } from '../model/analogues.ts';
import type { Candle } from '../model/candles.ts';
import type { Episode } from '../model/episodes.ts';
import type { Evidence, Intensity, Tried } from '../model/evidence.ts';
import type { Level } from '../model/levels.ts';
import type { SessionData } from '../model/session.ts';
import type { Minute } from '../render/scrubber.ts';
import type { AnalogueQuestion } from '../wire/alike.ts';
import type { Manifest } from '../wire/manifest.ts';

export interface Lists {
  levels: Level[];
  candles: Candle[];
  episodes: Episode[];
  evidence: Evidence[];
  tried: Tried[];
  intensity: Intensity[];
  minutes: Minute[];
  analogues: Analogues | null;
  analogueQuestion: AnalogueQuestion | null;
  analoguesProblem: string | null;
  gaps: [number, number][];
}
export const emptyLists = (): Lists => ({
  levels: [],
  candles: [],
  episodes: [],
  evidence: [],
  tried: [],
  intensity: [],
  minutes: [],
  analogues: null,
  analogueQuestion: null,
  analoguesProblem: null,
  gaps: [],
});

export interface Model {
  readonly state: Readonly<HudState>;
  readonly manifest: Manifest;
  readonly data: SessionData;
  readonly lists: Readonly<Lists>;
  readonly gate: Gate;
  readonly labels: TimeLabels;
  /** The second that panels describe: the present, never past the gate. */
  readonly second: number;
}
export interface Panel {
  readonly root: HTMLElement;
  update(model: Model): void;
}
