/** The data cursor: a second and a tick moved by the arrow keys, always inside what may be seen. */
import type { Gate } from '../core/timegate.ts';

export interface Cursor {
  readonly sec: number;
  readonly tick: number;
}

/** The cursor after an arrow key, or null for any other key. */
export function moveCursor(cursor: Cursor, key: string, gate: Gate): Cursor | null {
  const step: Record<string, readonly [number, number]> = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, 1],
    ArrowDown: [0, -1],
  };
  const move = step[key];
  if (!move) return null;
  return { sec: Math.min(gate.limit, Math.max(0, cursor.sec + move[0])), tick: cursor.tick + move[1] };
}
