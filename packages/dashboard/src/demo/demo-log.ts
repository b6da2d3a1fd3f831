import { LOG_LEVELS } from '../model/log-book.js';
import type { LogBatch, LogLevel, LogRecord } from '../server-api.js';

const LOG_ID = '00112233445566aa';
const BATCH_MS = 700;

const EVENTS: readonly (readonly [LogLevel, string, Readonly<Record<string, unknown>>])[] = [
  ['info', 'protocol chosen', { protocol: 'Upload', remote: '198.51.100.7:40021', local: '192.0.2.1:9999' }],
  [
    'info',
    'login accepted',
    { protocol: 'Upload', user: 'ada', remote: '198.51.100.7:40021', method: 'SCRAM-SHA-256' },
  ],
  ['info', 'upload complete', { user: 'ada', name: 'releases/sluice-0.1.0.tar.zst', bytes: 1_887_436, ms: 41 }],
  ['info', 'connection closed', { protocol: 'Upload', user: 'ada', reason: 'peer-closed' }],
  ['warn', 'login refused', { user: '<script>alert(1)</script>', remote: '203.0.113.9:51515' }],
  ['debug', 'connection accepted', { remote: '198.51.100.9:40777' }],
  ['warn', 'lines left out', { of: 'login refused', from: '203.0.113.9', count: 80 }],
  ['error', 'write failed', { user: 'grace', name: 'backups/2026-02-01/postgres.dump', code: 'ENOSPC' }],
  ['info', 'audit', { user: 'admin', action: 'kick', connections: 1 }],
];

/** A log in which something happens all the time, and in which some lines are missing. */
export class DemoLog {
  async *follow(
    cursor: string | undefined,
    lines: number,
    level: LogLevel,
    pause: (ms: number) => Promise<void>,
  ): AsyncGenerator<LogBatch> {
    let seq = cursor === undefined ? 10_000 - lines : Number(cursor.split(':')[1]);
    const wanted = (record: LogRecord): boolean =>
      LOG_LEVELS.indexOf(record.level as LogLevel) <= LOG_LEVELS.indexOf(level);
    for (let isFirst = cursor === undefined; ; isFirst = false) {
      const count = isFirst ? lines : 1 + (seq % 3);
      const missed = seq % 97 === 5 ? 37 : 0;
      seq += missed;
      const records = Array.from({ length: count }, (_, index) => recordOf(seq + index + 1, (count - index) * 180));
      seq += count;
      yield { records: records.filter(wanted), cursor: `${LOG_ID}:${seq}`, missed };
      await pause(BATCH_MS);
    }
  }
}

function recordOf(seq: number, agoMs: number): LogRecord {
  const pick = (seq * 2_654_435_761) % 4_294_967_296;
  const [level, event, fields] = EVENTS[pick % 23 < 18 ? pick % 4 : pick % EVENTS.length]!;
  return {
    seq,
    time: new Date(Date.now() - agoMs).toISOString(),
    level,
    event,
    connection: 17 + (seq % 400),
    ...fields,
  };
}
