import type { OptionTable, OptionValues } from '../options/option-table.js';
import { stderr } from '../terminal/standard-streams.js';

/** What the server logs, and where. */
export const logOptions = {
  'log-level': {
    kind: 'choice',
    placeholder: 'LEVEL',
    choices: ['error', 'warn', 'info', 'debug'],
    default: 'info',
    summary: 'the least important lines that are logged: error, warn, info or debug',
  },
  'log-format': {
    kind: 'choice',
    placeholder: 'FORMAT',
    choices: ['auto', 'text', 'json'],
    default: 'auto',
    summary: 'text or json; auto is text on a terminal and json otherwise',
  },
  'log-file': {
    kind: 'string',
    placeholder: 'FILE',
    summary: 'file that the log is appended to, in place of standard error',
  },
  'log-max-size': {
    kind: 'bytes',
    placeholder: 'SIZE',
    min: 0,
    max: 2 ** 40,
    default: 64 << 20,
    summary: 'a new log file is begun at this size; 0 for never',
  },
  'log-max-age': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 0,
    max: 366 * 86_400_000,
    default: 0,
    summary: 'a new log file is begun at this age; 0 for never',
  },
  'log-keep': {
    kind: 'integer',
    placeholder: 'N',
    min: 0,
    max: 1000,
    default: 8,
    summary: 'older log files that are kept, as FILE.1, FILE.2 and so on',
  },
  'log-history': {
    kind: 'bytes',
    placeholder: 'SIZE',
    min: 0,
    max: 2 ** 40,
    default: 16 << 20,
    summary: 'how much of the log is kept below the root for sluice logs; 0 for nothing',
  },
} as const satisfies OptionTable;

/**
 * Opens the log as the options say. A root that cannot be written to has no log history, unless one was asked for.
 *
 * @param maxWaitingBytes of lines that wait for the disk, for each of the two places
 * @throws the system's error
 */
export async function openServerLog(
  { openLog, ownLogDirectory }: typeof import('@sluice/server'),
  root: string,
  options: OptionValues<typeof logOptions>,
  given: ReadonlySet<string>,
  maxWaitingBytes?: number,
) {
  const path = options['log-file'];
  const isText = options['log-format'] === 'text' || (options['log-format'] === 'auto' && !path && stderr.isTTY);
  const wanted = {
    level: options['log-level'],
    format: isText ? 'text' : 'json',
    write: (line: string) => stderr.write(line),
    ...(maxWaitingBytes !== undefined && { maxWaitingBytes }),
    ...(path !== undefined && {
      file: {
        path,
        maxBytes: options['log-max-size'],
        maxAgeMs: options['log-max-age'],
        keep: options['log-keep'],
      },
    }),
  } as const;
  const maxBytes = options['log-history'];
  if (maxBytes === 0) return await openLog(wanted);
  try {
    return await openLog({ ...wanted, journal: { directory: ownLogDirectory(root), maxBytes } });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (given.has('log-history') || !['EROFS', 'EACCES', 'EPERM'].includes(code)) throw error;
    const opened = await openLog(wanted);
    opened.log.warn('no log history: the root cannot be written to');
    return opened;
  }
}
