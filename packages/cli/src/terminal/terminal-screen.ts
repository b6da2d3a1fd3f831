import { environment } from '../environment.js';
import type { Screen } from './progress-display.js';
import { columnsOf, stderr } from './standard-streams.js';

/** The terminal behind standard error, if there is one that can move its cursor. */
export function terminalScreen(): Screen | undefined {
  if (!stderr.isTTY || !environment.hasCursor) return undefined;
  return {
    get columns() {
      return columnsOf(stderr);
    },
    get rows() {
      return stderr.rows > 0 ? stderr.rows : 24;
    },
    hasColours: environment.wantsColours,
    write: (text) => stderr.write(text),
  };
}
