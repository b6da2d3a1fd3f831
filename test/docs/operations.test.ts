import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { commands, defaultText, isRepeatable, type Option, optionSyntax } from '@sluice/cli';
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
import { DEFAULT_SPEED_LIMITS, LOG_LEVELS } from '@sluice/server';
import {
  MAX_HANDLES,
  MAX_PACKET_LENGTH,
  MAX_READ_BYTES,
  MAX_SCRAM_MESSAGE_BYTES,
  MAX_SENT_PACKET_LENGTH,
} from '@sluice/wire';
import { plain, REPOSITORY, readPage, sectionOf, tableOf } from './markdown.js';

let page = '';

describe('docs/operations.md', () => {
  before(async () => {
    page = await readPage('docs/operations.md');
  });

  it('has a section for every command, in the order of the help', () => {
    const headings = [...sectionOf(page, 'Options').matchAll(/^### sluice ([\w-]+)$/gm)].map(([, name]) => name);
    assert.deepEqual(
      headings,
      commands.map(({ name }) => name),
    );
  });

  for (const command of commands) {
    it(`lists the options of ${command.name} with their defaults, as the program has them`, () => {
      const section = sectionOf(page, `sluice ${command.name}`);
      assert.ok(section.includes(`${command.summary}: \`sluice ${command.name} [options]`), 'summary');
      assert.ok(section.includes(command.usage), 'usage');
      const listed = tableOf(section).map((cells) => cells.map(plain));
      assert.deepEqual(
        listed,
        Object.entries(command.options).map(([name, option]) => optionRow(name, option)),
      );
    });
  }

  it('lists the environment variables that the command reads', async () => {
    const source = await readSource('cli/src/environment.ts');
    const [, names = ''] = /const \{ (.*) \} =\s+process\.env/.exec(source) ?? [];
    const listed = tableOf(sectionOf(page, 'Environment')).map(([name = '']) => plain(name));
    assert.deepEqual(listed, names.split(', '));
  });

  it('lists the exit codes', async () => {
    const source = await readSource('cli/src/exit-code.ts');
    const codes = [...source.matchAll(/^ {2}\w+: (\d+),$/gm)].map(([, code]) => Number(code));
    assert.ok(codes.length >= 7);
    const listed = tableOf(sectionOf(page, 'Exit codes')).map(([code]) => Number(code));
    assert.deepEqual(listed, codes);
  });

  it('gives every limit its value', async () => {
    for (const [heading, label, expected] of await limits()) {
      const row = tableOf(sectionOf(page, heading)).find(([first = '']) => first.startsWith(label));
      assert.ok(row, `no row "${label}" below ${heading}`);
      assert.ok(holds(row[1] ?? '', expected), `${label}: the page says "${row[1]}", the program ${expected}`);
    }
  });

  it('says how many connections 1,024 descriptors leave', () => {
    const fitted = fitToDescriptors(DEFAULT_LISTENER_OPTIONS, 1024);
    assert.ok(
      page.includes(`with 1,024 descriptors ${fitted.maxConnections} at once and ${fitted.maxWaiting} waiting`),
    );
  });

  it('lists every line that the server logs, at its level', async () => {
    const logged = new Set<string>();
    for (const source of await sourcesBelow('server/src')) {
      for (const [, level, event] of source.matchAll(/[lL]og\.(error|warn|info|debug)\('([^']+)'/g)) {
        logged.add(`${level}: ${event}`);
      }
      for (const [, event] of source.matchAll(/#drop\('([^']+)'\)/g)) logged.add(`info: ${event}`);
    }
    const listed = tableOf(sectionOf(page, 'Log')).map(([level, event = '']) => `${level}: ${plain(event)}`);
    assert.deepEqual([...listed].sort(), [...logged].sort());
    for (const line of listed) assert.ok(LOG_LEVELS.some((level) => line.startsWith(`${level}: `)));
  });

  it('lists every reason for which a connection is closed', async () => {
    const reasons = new Set<string>();
    for (const source of [...(await sourcesBelow('core/src')), ...(await sourcesBelow('server/src'))]) {
      for (const [, reason = ''] of source.matchAll(/\.(?:close|destroy)\('([a-z-]+)'/g)) reasons.add(reason);
      const [union = ''] = /^export type CloseReason =[^;]*;/m.exec(source) ?? [];
      for (const [, reason = ''] of union.matchAll(/'([a-z-]+)'/g)) reasons.add(reason);
      for (const [, reason = ''] of source.matchAll(/^ +return '([a-z]+(?:-[a-z]+)+)';$/gm)) reasons.add(reason);
    }
    const log = sectionOf(page, 'Log');
    const listed = tableOf(log.slice(log.indexOf('| reason'))).flatMap(([names = '']) => names.split(', ').map(plain));
    assert.ok(reasons.size >= 13, [...reasons].join(' '));
    assert.deepEqual([...listed].sort(), [...reasons].sort());
  });
});

function optionRow(name: string, option: Option): string[] {
  const repeatable = isRepeatable(option) ? '; may be repeated' : '';
  return [optionSyntax(name, option).trim(), defaultText(option) ?? '', `${option.summary}${repeatable}`];
}

type Limit = readonly [heading: string, label: string, value: string];

async function limits(): Promise<Limit[]> {
  const { outbound, closeTimeoutMs } = DEFAULT_CONNECTION_LIMITS;
  assert.equal(outbound, DEFAULT_OUTBOUND_LIMITS);
  const guard = await readSource('server/src/users/login-guard.ts');
  const names = await readSource('server/src/storage/path-name.ts');
  const download = await readSource('server/src/protocols/download-protocol.ts');
  const flood = await readSource('server/src/protocols/flood.ts');
  const flow = await readSource('server/src/protocols/request-flow.ts');
  const kept = await readSource('server/src/protocols/kept-files.ts');
  const digest = await readSource('server/src/protocols/digest-command.ts');
  const retry = await readSource('client/src/retry.ts');
  const pool = await readSource('client/src/connection-pool.ts');
  const streams = await readSource('client/src/remote-file-streams.ts');
  const listener = await readSource('core/src/listener.ts');
  const ramp = await readSource('core/src/accept-ramp.ts');
  const networks = await readSource('core/src/network-accounts.ts');
  const session = await readSource('server/src/session.ts');
  const log = await readSource('server/src/logging/log-record.ts');
  const watch = await readSource('server/src/protocols/client-watch.ts');
  const registry = await readSource('server/src/client-registry.ts');
  return [
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
function numberIn(source: string, name: string): number {
  const [, text = ''] = new RegExp(`\\b${name}(?::| =) ([^,;\\n]+)[,;]`).exec(source) ?? [];
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

function readSource(name: string): Promise<string> {
  return readFile(path.join(REPOSITORY, 'packages', name), 'utf8');
}

async function sourcesBelow(name: string): Promise<string[]> {
  const directory = path.join(REPOSITORY, 'packages', name);
  const entries = await readdir(directory, { recursive: true });
  const files = entries.filter((entry) => entry.endsWith('.ts'));
  return Promise.all(files.map((file) => readFile(path.join(directory, file), 'utf8')));
}
