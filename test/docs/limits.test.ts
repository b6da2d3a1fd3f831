import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { commands, type Option } from '@sluice/cli';
import { DEFAULT_CONNECT_OPTIONS, DEFAULT_REMOTE_FILE_OPTIONS } from '@sluice/client';
import {
  DEFAULT_CONNECTION_LIMITS,
  DEFAULT_DEADLINES,
  DEFAULT_LISTENER_OPTIONS,
  DEFAULT_OUTBOUND_LIMITS,
  DEFAULT_TLS_LISTENER_OPTIONS,
  fitToDescriptors,
  MAX_PROXY_HEADER_BYTES,
} from '@sluice/core';
import { DEFAULT_HTTP_OPTIONS, DEFAULT_SPEED_LIMITS } from '@sluice/server';
import {
  MAX_HANDLES,
  MAX_PACKET_LENGTH,
  MAX_READ_BYTES,
  MAX_SCRAM_MESSAGE_BYTES,
  MAX_SENT_PACKET_LENGTH,
} from '@sluice/wire';
import { plain, REPOSITORY, readPage, sectionOf, tableOf } from './markdown.js';

/** Where the source names a bound that nobody meets from outside: it limits how something is done, not what a peer may have. */
const INTERNAL: ReadonlySet<string> = new Set([
  'core/src/clock.ts MAX_TIMER_MS',
  'core/src/flight-event.ts MAX_KINDS',
  'core/src/framed-connection.ts MAX_FRAMES_PER_TURN',
  'core/src/refusal-desk.ts MAX_ANSWER_BYTES',
  'core/src/tls-acceptor.ts MAX_FIRST_BYTES',
  'core/src/tls-contexts.ts MAX_SERVER_NAME_LENGTH',
  'files/src/disk-turns.ts MAX_AT_ONCE',
  'files/src/io-pace.ts MAX_UNSYNCED_BYTES',
  'files/src/record-log.ts MAX_RECORD_BYTES',
  'framing/src/chunk-joiner.ts MAX_LENT_BYTES',
  'server/src/coordination/shared-quotas.ts MAX_AHEAD_BYTES',
  'server/src/hooks/program-hook.ts MAX_OUTPUT_LENGTH',
  'server/src/hooks/webhook.ts MAX_MESSAGE_LENGTH',
  'server/src/http/gateway/frame-reader.ts MAX_CONTROL_BYTES',
  'server/src/http/gateway/frame-reader.ts MAX_HEAD_BYTES',
  'server/src/http/gateway/websocket-stream.ts MAX_SENT_MESSAGE_BYTES',
  'server/src/http/files/tus-records.ts MAX_RECORD_BYTES',
  'server/src/logging/append-file.ts MAX_BATCH_BYTES',
  'server/src/protocols/client-watch.ts MAX_ROUND_BYTES',
  'server/src/protocols/read-answers.ts MAX_HEAD_BYTES',
  'server/src/protocols/read-answers.ts MAX_IN_PLACE_BYTES',
  'server/src/protocols/remote-file.ts MAX_DIRECT_BYTES',
  'server/src/protocols/slab-pool.ts MAX_FREE',
  'server/src/protocols/slab-pool.ts MAX_SIZES',
  'server/src/protocols/tree-commands.ts MAX_PATH_LENGTH',
  'server/src/protocols/user-commands.ts MAX_PAGE_BYTES',
  'server/src/self-signed.ts MAX_COMMON_NAME_LENGTH',
  'server/src/storage/batches/memory-pool.ts MAX_SPARE_BLOCKS',
  'server/src/storage/batches/read-files.ts MAX_READS',
  'server/src/storage/content-digests.ts MAX_OPEN_LOGS',
  'server/src/storage/directory-digests.ts MAX_KEPT_DIGEST_BYTES',
  'server/src/storage/directory-digests.ts MAX_LOG_BYTES',
  'server/src/storage/directory-tree.ts MAX_LISTED_NAME_BYTES',
  'server/src/storage/directory-tree.ts MAX_STATS_AT_ONCE',
  'server/src/storage/directory-tree.ts MAX_SYNCED_PATHS',
  'server/src/storage/held-directory.ts MAX_OPEN_ATTEMPTS',
  'server/src/storage/listing-queue.ts MAX_KNOWN_LARGE',
  'server/src/storage/listing-queue.ts MAX_SMALL_LISTINGS',
  'server/src/storage/path-name.ts MAX_TEXT_LENGTH',
  'server/src/storage/root-lock.ts MAX_STARTING_MS',
  'server/src/storage/tree-part.ts MAX_STATS_AT_ONCE',
  'server/src/storage/tree-removal.ts MAX_ROUNDS',
  'server/src/storage/tree-removal.ts MAX_UNLINKS_AT_ONCE',
  'server/src/storage/tree-walk.ts MAX_FAR_LEVELS',
  'server/src/storage/tree-walk.ts MAX_NEAR_LEVELS',
  'server/src/storage/version-token.ts MAX_PAUSES',
  'server/src/users/derivation-turns.ts MAX_RUNS_AT_ONCE',
  'server/src/users/user-name.ts MAX_USER_NAME_LENGTH',
]);

let page = '';
/** Constants that a row of the page was compared with, `core/src/x.ts NAME`. */
const compared = new Set<string>();

describe('docs/limits.md', () => {
  before(async () => {
    page = await readPage('docs/limits.md');
  });

  it('gives every limit its value', async () => {
    for (const [heading, label, expected] of await limits()) {
      const row = rowsOf(sectionOf(page, heading)).find(([first = '']) => first.startsWith(label));
      assert.ok(row, `no row "${label}" below ${heading}`);
      assert.ok(holds(row[1] ?? '', expected), `${label}: the page says "${row[1]}", the program ${expected}`);
    }
  });

  it('has every bound that the source of the server names', async () => {
    const missing: string[] = [];
    for (const folder of ['core', 'framing', 'files', 'server']) {
      for (const file of await sourcesOf(folder)) {
        for (const [, name] of (await readSource(file)).matchAll(/^(?:export )?const (MAX_[A-Z_0-9]+)\b/gm)) {
          if (!compared.has(`${file} ${name}`) && !INTERNAL.has(`${file} ${name}`)) missing.push(`${file} ${name}`);
        }
      }
    }
    assert.deepEqual(missing, []);
  });

  it('has every option of serve that is a limit, with its default', () => {
    const rows = rowsOf(page);
    for (const [name, option] of Object.entries(commands.find((command) => command.name === 'serve')!.options)) {
      if (!['integer', 'duration', 'bytes'].includes(option.kind)) continue;
      const row = rows.find(([label = '']) => label.includes(`\`--${name}\``));
      if (!row) assert.match(page, new RegExp(`\`--${name}\``), `--${name} is not on the page`);
      else assert.ok(tellsDefault(row[1] ?? '', option), `--${name}: the page says "${row[1]}"`);
    }
  });

  it('says how many connections 1,024 descriptors leave', () => {
    const fitted = fitToDescriptors(DEFAULT_LISTENER_OPTIONS, 1024);
    assert.ok(
      page.includes(`with 1,024 descriptors ${fitted.maxConnections} at once and ${fitted.maxWaiting} waiting`),
    );
  });

  it('names only lines of the log and reasons of a close that operations.md has', async () => {
    const log = sectionOf(await readPage('docs/operations.md'), 'Log');
    for (const [, reason] of page.matchAll(/reason `([a-z-]+)`/g)) {
      assert.ok(log.includes(`\`${reason}\``), `reason ${reason}`);
    }
    const lines = new Set(tableOf(log).map(([, event = '']) => plain(event)));
    for (const line of [
      'connections refused',
      'request refused',
      'request failed',
      'bad packet',
      'connection closed',
    ]) {
      assert.ok(lines.has(line) && page.includes(`\`${line}\``), line);
    }
  });
});

/** The rows of all tables, cells trimmed. */
function rowsOf(text: string): string[][] {
  return [...text.matchAll(/^\|(.*)\|$/gm)].map(([, row = '']) => row.split(/(?<!\\)\|/).map((cell) => cell.trim()));
}

/** An option without a default stands for what the row says; 0 for none. */
function tellsDefault(cell: string, option: Option): boolean {
  if (!('default' in option) || typeof option.default !== 'number') return true;
  const value = option.default;
  if (value === 0) return holds(cell, 'no limit');
  if (option.kind === 'integer') return holds(cell, count(value));
  if (option.kind === 'bytes') return holds(cell, size(value));
  return [seconds(value), `${value / 86_400_000} days`].some((text) => holds(cell, text));
}

type Limit = readonly [heading: string, label: string, value: string];

async function limits(): Promise<Limit[]> {
  const { outbound, closeTimeoutMs } = DEFAULT_CONNECTION_LIMITS;
  assert.equal(outbound, DEFAULT_OUTBOUND_LIMITS);
  const guard = await Source.read('server/src/users/login-guard.ts');
  const names = await Source.read('server/src/storage/path-name.ts');
  const download = await Source.read('server/src/protocols/download-protocol.ts');
  const flood = await Source.read('server/src/protocols/flood.ts');
  const flow = await Source.read('server/src/protocols/request-flow.ts');
  const kept = await Source.read('server/src/protocols/kept-files.ts');
  const digest = await Source.read('server/src/protocols/digest-command.ts');
  const retry = await Source.read('client/src/retry.ts');
  const pool = await Source.read('client/src/connection-pool.ts');
  const streams = await Source.read('client/src/remote-file-streams.ts');
  const listener = await Source.read('core/src/listener.ts');
  const ramp = await Source.read('core/src/accept-ramp.ts');
  const networks = await Source.read('core/src/network-accounts.ts');
  const session = await Source.read('server/src/session.ts');
  const log = await Source.read('server/src/logging/log-record.ts');
  const watch = await Source.read('server/src/protocols/client-watch.ts');
  const registry = await Source.read('server/src/client-registry.ts');
  const framed = await Source.read('core/src/framed-connection.ts');
  const budget = await Source.read('core/src/memory-budget.ts');
  const recorder = await Source.read('core/src/flight-recorder.ts');
  const events = await Source.read('server/src/hooks/pending-events.ts');
  const webhook = await Source.read('server/src/hooks/webhook.ts');
  const program = await Source.read('server/src/hooks/program-hook.ts');
  const append = await Source.read('server/src/logging/append-file.ts');
  const repeats = await Source.read('server/src/logging/repeat-limiter.ts');
  const digestLog = await Source.read('server/src/storage/digest-log.ts');
  const directoryDigests = await Source.read('server/src/storage/directory-digests.ts');
  const contentDigests = await Source.read('server/src/storage/content-digests.ts');
  const walks = await Source.read('server/src/storage/descriptor-account.ts');
  const space = await Source.read('server/src/storage/staging/space-reservations.ts');
  const staging = await Source.read('server/src/storage/staging/staging-area.ts');
  const staged = await Source.read('server/src/storage/staging/staged-upload.ts');
  const threads = await Source.read('server/src/storage/batches/batch-threads.ts');
  const batches = await Source.read('server/src/storage/batches/file-batches.ts');
  const trees = await Source.read('server/src/protocols/tree-commands.ts');
  const listings = await Source.read('server/src/storage/listing-queue.ts');
  const output = await Source.read('server/src/protocols/log-output-protocol.ts');
  const readers = await Source.read('server/src/protocols/log-readers.ts');
  const proxy = await Source.read('core/src/proxy-header.ts');
  proxy.compared('MAX_PROXY_HEADER_BYTES');
  const http = await Source.read('server/src/http/http-options.ts');
  const httpAnswers = await Source.read('server/src/http/http-answers.ts');
  const loginRoutes = await Source.read('server/src/http/login/login-routes.ts');
  const tokens = await Source.read('server/src/http/login/session-token.ts');
  const sessions = await Source.read('server/src/http/login/login-sessions.ts');
  const credentials = await Source.read('server/src/http/login/remembered-credentials.ts');
  const pageFiles = await Source.read('server/src/http/pages/page-files.ts');
  const tusHeaders = await Source.read('server/src/http/files/tus-headers.ts');
  const tusRecords = await Source.read('server/src/http/files/tus-records.ts');
  const tusUploads = await Source.read('server/src/http/files/tus-uploads.ts');
  const supervisedHttp = await Source.read('server/src/workers/supervised-http.ts');
  const streamListener = await Source.read('core/src/stream-listener.ts');
  return [
    ['HTTP', 'connections at once', count(DEFAULT_HTTP_OPTIONS.maxConnections)],
    ['HTTP', 'connections from one', count(DEFAULT_HTTP_OPTIONS.maxPerAddress)],
    ['HTTP', 'refused connections', count(numberIn(streamListener, 'MAX_AT_REFUSAL_DESK'))],
    ['HTTP', 'the line and', seconds(numberIn(http, 'headersMs'))],
    ['HTTP', 'time between', seconds(numberIn(http, 'keepAliveMs'))],
    ['HTTP', 'time in which', seconds(numberIn(http, 'stallMs'))],
    ['HTTP', 'bytes of the line', size(numberIn(http, 'MAX_HTTP_HEAD_BYTES'))],
    ['HTTP', 'headers of', count(numberIn(http, 'MAX_HTTP_HEADERS'))],
    ['HTTP', 'bytes of a login', size(numberIn(loginRoutes, 'MAX_LOGIN_BYTES'))],
    ['HTTP', 'bytes of the cookie', count(numberIn(tokens, 'MAX_TOKEN_LENGTH'))],
    ['HTTP', 'logouts of one', count(numberIn(sessions, 'MAX_LOGOUTS_OF_USER'))],
    ['HTTP', 'the same of all users', count(numberIn(supervisedHttp, 'MAX_LOGOUTS'))],
    ['HTTP', 'open connections', count(numberIn(sessions, 'MAX_WATCHED'))],
    ['HTTP', 'names and passwords', count(numberIn(credentials, 'MAX_REMEMBERED'))],
    ['HTTP', 'files of the dashboard', size(numberIn(pageFiles, 'MAX_PAGES_BYTES'))],
    ['HTTP', 'characters of the metadata', count(numberIn(tusHeaders, 'MAX_METADATA_LENGTH'))],
    ['HTTP', 'uploads by tus that', count(numberIn(tusRecords, 'MAX_TUS_UPLOADS_OF_USER'))],
    ['HTTP', 'the same, of all users', count(numberIn(tusRecords, 'MAX_TUS_UPLOADS'))],
    ['HTTP', 'complete uploads by tus', count(numberIn(tusRecords, 'MAX_COMPLETE'))],
    ['HTTP', 'uploads by tus that stay open', count(numberIn(tusUploads, 'MAX_IDLE'))],
    ['HTTP', 'time for which one of them', seconds(numberIn(tusUploads, 'IDLE_MS'))],
    ['HTTP', 'bytes of a refused', size(numberIn(httpAnswers, 'MAX_DROPPED_BYTES'))],
    ['Connections', 'listings made', count(numberIn(listings, 'MAX_LISTINGS'))],
    ['Packets and answers', 'received bytes that wait', size(numberIn(framed, 'MAX_HELD_BYTES'))],
    ['Packets and answers', 'time for which requests', `${numberIn(framed, 'TURN_MS')} ms`],
    ['Packets and answers', 'lines that wait for a reader', size(numberIn(output, 'MAX_WAITING_BYTES'))],
    ['Uploads, batches and digests', 'uploads that are not', count(numberIn(staging, 'MAX_PARTIALS_OF_USER'))],
    ['Uploads, batches and digests', 'the same, of all', count(numberIn(staging, 'MAX_PARTIALS'))],
    ['Uploads, batches and digests', 'room that', size(numberIn(space, 'MAX_DEFAULT_FLOOR_BYTES'))],
    ['Uploads, batches and digests', 'bytes the server reads', size(numberIn(staged, 'MAX_READ_FOR_ENTRIES_BYTES'))],
    ['Uploads, batches and digests', 'bytes of small files', size(numberIn(batches, 'MAX_PENDING_BYTES'))],
    ['Uploads, batches and digests', 'threads that', count(numberIn(threads, 'MAX_BATCH_THREADS'))],
    ['Uploads, batches and digests', 'time for one part', seconds(numberIn(trees, 'MAX_WORK_MS'))],
    ['Uploads, batches and digests', 'digests of the chunks', size(numberIn(digestLog, 'MAX_CHUNK_DIGEST_BYTES'))],
    ['Uploads, batches and digests', 'recorded digests', size(numberIn(directoryDigests, 'MAX_LIVE_BYTES'))],
    ['Uploads, batches and digests', 'directories whose', count(numberIn(contentDigests, 'MAX_LOGS_IN_MEMORY'))],
    ['Uploads, batches and digests', 'walks through', count(numberIn(walks, 'MAX_WALKS'))],
    ['The log and the recorder', 'lines of the log are sent', `${numberIn(readers, 'PERIOD_MS')} ms`],
    ['The log and the recorder', 'lines of the log are sent', `${numberIn(readers, 'PERIOD_PER_READER_MS')} ms`],
    ['Hooks', 'events that wait', count(numberIn(events, 'MAX_PENDING'))],
    ['Hooks', 'attempts for', count(numberIn(webhook, 'MAX_ATTEMPTS'))],
    ['Hooks', 'events that one', count(numberIn(webhook, 'MAX_AT_ONCE'))],
    ['Hooks', 'runs of one', count(numberIn(program, 'MAX_RUNS'))],
    ['The log and the recorder', 'lines of one event', count(numberIn(repeats, 'MAX_PER_PERIOD'))],
    ['The log and the recorder', 'kinds of lines', count(numberIn(repeats, 'MAX_KINDS'))],
    ['The log and the recorder', 'lines that wait', size(numberIn(append, 'MAX_WAITING_BYTES'))],
    ['The log and the recorder', 'runs of events', count(numberIn(recorder, 'MAX_FLIGHT_RECORDS'))],
    ['Memory', 'waiting for memory', count(numberIn(budget, 'MAX_WAITING'))],
    ['Connections', 'connections at once', count(DEFAULT_LISTENER_OPTIONS.maxConnections)],
    ['Connections', 'connections that wait', count(DEFAULT_LISTENER_OPTIONS.maxWaiting)],
    ['Connections', 'connections that have not', count(DEFAULT_LISTENER_OPTIONS.maxUnestablished)],
    ['Connections', 'slow start', count(numberIn(ramp, 'BURST'))],
    ['Connections', 'slow start', seconds(numberIn(ramp, 'LENGTH_MS'))],
    ['Connections', 'addresses that are', count(numberIn(networks, 'MAX_REMEMBERED'))],
    ['Connections', 'refused connections', count(numberIn(listener, 'MAX_AT_REFUSAL_DESK'))],
    ['Connections', 'waiting for a place', seconds(DEFAULT_LISTENER_OPTIONS.waitTimeoutMs)],
    ['Connections', 'connections the system completes', count(DEFAULT_LISTENER_OPTIONS.backlog)],
    ['Connections', 'silence before', seconds(DEFAULT_DEADLINES.firstByteTimeoutMs)],
    ['Connections', 'a TLS handshake', seconds(DEFAULT_TLS_LISTENER_OPTIONS.handshakeTimeoutMs)],
    ['Connections', 'TLS handshakes at once', count(DEFAULT_TLS_LISTENER_OPTIONS.maxHandshakes)],
    ['Connections', 'connections that wait for their', count(DEFAULT_TLS_LISTENER_OPTIONS.maxWaitingHandshakes)],
    ['Connections', 'a header of', `16 and ${MAX_PROXY_HEADER_BYTES - 16}`],
    ['Connections', 'a login', seconds(DEFAULT_DEADLINES.loginTimeoutMs)],
    ['Connections', 'a packet that has begun', seconds(DEFAULT_DEADLINES.frameTimeoutMs)],
    ['Connections', 'a packet that has begun', size(DEFAULT_DEADLINES.minFrameBytesPerSecond)],
    ['Connections', 'silence after', seconds(DEFAULT_DEADLINES.idleTimeoutMs)],
    ['Connections', 'bytes that wait', seconds(DEFAULT_DEADLINES.writeStallTimeoutMs)],
    ['Connections', 'looking at', seconds(numberIn(listener, 'SCAN_PERIOD_MS'))],
    ['Connections', 'closing', seconds(closeTimeoutMs)],
    ['Packets and answers', 'packet length, received', count(MAX_PACKET_LENGTH)],
    ['Packets and answers', 'text length before login', size(numberIn(session, 'MAX_TEXT_BEFORE_LOGIN'))],
    ['Packets and answers', 'lines in a command text', count(numberIn(session, 'MAX_LINES'))],
    ['Packets and answers', 'one value in a log line', `${numberIn(log, 'MAX_VALUE_LENGTH')} characters`],
    ['Packets and answers', 'packet length, sent', count(MAX_SENT_PACKET_LENGTH)],
    ['Packets and answers', 'answers queued: high', size(outbound.highWaterMarkBytes)],
    ['Packets and answers', 'answers queued: low', size(outbound.lowWaterMarkBytes)],
    ['Packets and answers', 'answers queued: hard', size(outbound.hardLimitBytes)],
    ['Packets and answers', 'data in one packet', size(numberIn(download, 'MAX_PACKET_BYTES'))],
    ['Packets and answers', 'bytes a download sends', size(numberIn(download, 'BYTES_PER_TURN'))],
    ['Packets and answers', 'data of one Read', `${count(MAX_READ_BYTES)} bytes`],
    ['Packets and answers', 'open files of one', count(MAX_HANDLES)],
    ['Packets and answers', 'connections on which', count(numberIn(watch, 'MAX_WATCHES_PER_USER'))],
    ['Packets and answers', 'records in one round', size(numberIn(watch, 'MAX_ROUND_CHARACTERS'))],
    ['Packets and answers', 'name of a transfer', `${count(numberIn(registry, 'MAX_NAME_CHARACTERS'))} characters`],
    ['Packets and answers', 'requests of a connection', count(numberIn(flow, 'MAX_IN_PROGRESS'))],
    ['Packets and answers', 'data that these move', size(numberIn(flow, 'MAX_BYTES_IN_PROGRESS'))],
    ['Packets and answers', 'remote files kept without a connection, for', count(numberIn(kept, 'MAX_LEFT_PER_USER'))],
    ['Packets and answers', 'remote files kept without a connection, in', count(numberIn(kept, 'MAX_LEFT'))],
    ['Packets and answers', 'one part of a name', `${numberIn(names, 'MAX_COMPONENT_BYTES')} bytes`],
    ['Packets and answers', 'parts of a name', count(numberIn(names, 'MAX_COMPONENTS'))],
    ['Packets and answers', 'range of one Digest', size(numberIn(digest, 'MAX_RANGE_BYTES'))],
    ['Measurements of the speed', 'streams at once, ', count(DEFAULT_SPEED_LIMITS.maxFloods)],
    ['Measurements of the speed', 'streams at once for one', count(DEFAULT_SPEED_LIMITS.maxFloodsPerClient)],
    ['Measurements of the speed', 'time of one', seconds(DEFAULT_SPEED_LIMITS.maxMs)],
    ['Measurements of the speed', 'after the end', seconds(numberIn(flood, 'LATE_MS'))],
    ['Logins', 'failed attempts of one', count(numberIn(session, 'MAX_FAILED_LOGINS'))],
    ['Logins', 'message of SCRAM', `${MAX_SCRAM_MESSAGE_BYTES} bytes`],
    ['Logins', 'attempts checked at once', count(numberIn(guard, 'maxAtOnce'))],
    ['Logins', 'wait after the second', seconds(numberIn(guard, 'firstDelayMs'))],
    ['Logins', 'longest wait', seconds(numberIn(guard, 'maxDelayMs'))],
    ['Logins', 'attempts that wait', count(numberIn(guard, 'maxWaiting'))],
    ['Logins', 'forgotten after', seconds(numberIn(guard, 'forgetAfterMs'))],
    ['Logins', 'addresses remembered', count(numberIn(guard, 'maxAddresses'))],
    ['Commands and SDK', 'connecting', seconds(DEFAULT_CONNECT_OPTIONS.connectTimeoutMs)],
    ['Commands and SDK', 'silence while', seconds(DEFAULT_CONNECT_OPTIONS.responseTimeoutMs)],
    ['Commands and SDK', 'failed attempts', count(DEFAULT_CONNECT_OPTIONS.retries)],
    ['Commands and SDK', 'pause before', seconds(DEFAULT_CONNECT_OPTIONS.retryDelayMs)],
    ['Commands and SDK', 'pause before', seconds(numberIn(retry, 'MAX_RETRY_DELAY_MS'))],
    ['Commands and SDK', 'connections to one', count(DEFAULT_CONNECT_OPTIONS.maxConnections)],
    ['Commands and SDK', 'an open remote file', seconds(DEFAULT_REMOTE_FILE_OPTIONS.keepMs)],
    ['Commands and SDK', 'bytes read ahead', size(DEFAULT_REMOTE_FILE_OPTIONS.readAheadBytes)],
    ['Commands and SDK', 'bytes of a stream', size(numberIn(streams, 'MAX_UNCONFIRMED_BYTES'))],
    ['Commands and SDK', 'heartbeat', seconds(numberIn(pool, 'HEARTBEAT_PERIOD_MS'))],
  ];
}

/** Whether the cell has the value as a whole: `6 s` is not in `16 s`. */
function holds(cell: string, value: string): boolean {
  const at = cell.indexOf(value);
  return at >= 0 && !/[\d.,]/.test(cell[at - 1] ?? ' ') && !/[\d]/.test(cell[at + value.length] ?? ' ');
}

/** The value of a constant or a property that is not exported, as its source has it: `10_000`, `1 << 30`, `(256 << 10) + 256`. */
function numberIn(source: Source, name: string): number {
  source.compared(name);
  const [, text = ''] = new RegExp(`\\b${name}(?::| =) ([^,;\\n]+)[,;]`).exec(source.text) ?? [];
  const terms = text.replaceAll(/[_() ]/g, '').split('+');
  const value = terms.reduce((sum, term) => {
    const [base, shift = '0'] = term.split('<<');
    return sum + Number(base) * 2 ** Number(shift);
  }, 0);
  assert.ok(text !== '' && !Number.isNaN(value), `${name} cannot be read: "${text}"`);
  return value;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}

function size(bytes: number): string {
  if (bytes % (1 << 30) === 0) return `${bytes / (1 << 30)} GiB`;
  return bytes % (1 << 20) === 0 ? `${bytes / (1 << 20)} MiB` : `${bytes / 1024} KiB`;
}

/** A file of the source. */
class Source {
  readonly #file: string;
  readonly text: string;

  private constructor(file: string, text: string) {
    this.#file = file;
    this.text = text;
  }

  static async read(file: string): Promise<Source> {
    return new Source(file, await readSource(file));
  }

  compared(name: string): void {
    compared.add(`${this.#file} ${name}`);
  }
}

function readSource(name: string): Promise<string> {
  return readFile(path.join(REPOSITORY, 'packages', name), 'utf8');
}

/** `core/src/x.ts` and so on. */
async function sourcesOf(folder: string): Promise<string[]> {
  const entries = await readdir(path.join(REPOSITORY, 'packages', folder, 'src'), { recursive: true });
  return entries.filter((entry) => entry.endsWith('.ts')).map((entry) => `${folder}/src/${entry}`);
}
