/** What is missing, by name and with its reason. */
import { describe, expect, it } from 'vitest';
import { missingNames, missingParts, whyMissing } from '../../src/panels/session.ts';
import { smallManifest } from './session.ts';

const there = { status: 'ok', reason: null };
const gone = { status: 'unavailable', reason: 'not materialised' };

describe('Missing parts', () => {
  const manifest = (panel: object, table: object) =>
    smallManifest({
      panels: [
        { name: 'candles', ...there },
        { name: 'levels', ...panel },
      ],
      tables: [
        { name: 'trade', ...table },
        { name: 'wall_surface_1s', ...there },
      ],
    });
  it('are named with their reasons; tables behind nothing on the page only where every part is there', () => {
    expect(missingNames(manifest(gone, gone))).toEqual(['levels']);
    expect(missingNames(manifest(there, gone))).toEqual(['trade']);
    expect(missingNames(manifest(there, there))).toEqual([]);
    expect(missingNames(manifest(there, { ...gone, rows: 0 }))).toEqual([]);
    expect(missingParts(manifest(there, gone))).toEqual([]);
    expect(whyMissing(manifest(there, gone), 'trade')).toBe('not materialised');
    expect(whyMissing(manifest(gone, there), 'levels')).toBe('not materialised');
    expect(whyMissing(manifest(gone, there), 'trade')).toBeNull();
  });
});
