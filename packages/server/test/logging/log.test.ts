import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { jsonLine, type LogRecord, logOutputLine, ServerLog, textLine } from '@sluice/server';
import { LogFile } from '../../../../packages/server/dist/logging/log-file.js';
import { LogJournal } from '../../../../packages/server/dist/logging/log-journal.js';
import { temporaryDirectory } from '../storage/temporary-directory.js';

const TIME = new Date('2026-01-31T12:34:56.789Z');

function failOnLoss({ code }: { readonly code: string }): void {
  assert.fail(`lines are lost: ${code}`);
}

function collecting(options: { nowMs?: () => number } = {}): { log: ServerLog; records: LogRecord[] } {
  const records: LogRecord[] = [];
  const log = new ServerLog({ level: 'debug', sinks: [(record) => records.push(record)], now: () => TIME, ...options });
  return { log, records };
}

describe('a line of the log', () => {
  const hostile = 'a\r\n\x1b[2J\u202e"=\\';

  it('is text with all control characters escaped, or one JSON object', () => {
    const { log, records } = collecting();
    log.warn('login refused', { name: hostile, bytes: 12n, none: undefined });
    const text = '2026-01-31T12:34:56.789Z WARN  login refused name="a\\x0d\\x0a\\x1b[2J\\u202e\\"=\\\\" bytes=12';
    assert.equal(textLine(records[0]!), text);
    assert.deepEqual(JSON.parse(jsonLine(records[0]!)), {
      time: '2026-01-31T12:34:56.789Z',
      level: 'warn',
      seq: 1,
      event: 'login refused',
      name: hostile,
      bytes: '12',
    });
    assert.ok(!/[\x00-\x1f]/.test(jsonLine(records[0]!)));
  });

  it('is, for LogOutput, local time with a comma, a thread, the level in five columns, and CRLF (specification 10)', () => {
    const { log, records } = collecting();
    log.info('upload complete', { file: 'grün\n' });
    assert.match(
      logOutputLine(records[0]!),
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,789 \[main\] INFO : upload complete file=grün\\x0a\r\n$/,
    );
  });

  it('cannot be given other time, level, number or event by its fields', () => {
    const { log, records } = collecting();
    log.info('event', { seq: 7, time: 'never', level: 'error', event: 'other' });
    assert.deepEqual(JSON.parse(jsonLine(records[0]!)), {
      time: '2026-01-31T12:34:56.789Z',
      level: 'info',
      seq: 1,
      event: 'event',
    });
  });

  it('holds 400 characters of a value at most', () => {
    const { log, records } = collecting();
    log.info('event', { name: 'x'.repeat(10_000) });
    assert.equal(records[0]?.fields['name'], `${'x'.repeat(400)}... (10000 characters)`);
  });

  it('is left out below the level, which may change at any time', () => {
    const { log, records } = collecting();
    log.level = 'warn';
    log.info('no');
    log.warn('yes');
    log.level = 'debug';
    log.debug('yes');
    assert.deepEqual(
      records.map(({ event }) => event),
      ['yes', 'yes'],
    );
  });
});

describe('lines that repeat', () => {
  it('are limited by event and address, and summed up when the time is over', () => {
    let nowMs = 0;
    const { log, records } = collecting({ nowMs: () => nowMs });
    for (let i = 0; i < 100; i += 1) {
      log.warn('login refused', { remote: `10.0.0.1:${i}` });
      log.info('unknown command', { remote: `10.0.0.1:${i}` });
    }
    log.warn('login refused', { remote: '10.0.0.2:1' });
    assert.equal(records.length, 41);
    nowMs = 10_000;
    log.sweep();
    assert.deepEqual(
      records.slice(41).map(({ level, event, fields }) => [level, event, fields]),
      [
        ['warn', 'lines left out', { of: 'login refused', from: '10.0.0.1', count: 80 }],
        ['info', 'lines left out', { of: 'unknown command', from: '10.0.0.1', count: 80 }],
      ],
    );
    log.warn('login refused', { remote: '10.0.0.1:5' });
    assert.equal(records.length, 44);
  });

  it('are never left out when they are about what an operator did, or what a server does for its users', () => {
    const { log, records } = collecting({ nowMs: () => 0 });
    for (let i = 0; i < 1000; i += 1) {
      log.warn('audit', { remote: '10.0.0.1:1' });
      log.info('upload complete', { remote: '10.0.0.1:1' });
    }
    assert.equal(records.length, 2000);
  });

  it('cost no memory without bound', () => {
    const { log, records } = collecting({ nowMs: () => 0 });
    for (let i = 0; i < 5000; i += 1) log.warn('login refused', { remote: `10.0.${i >> 8}.${i & 255}:1` });
    assert.equal(records.length, 5000);
  });
});

describe('a log file', () => {
  it('is begun anew by size, and the newest older ones are kept', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'log');
    const file = await LogFile.open(path, { maxBytes: 100, maxAgeMs: 0, keep: 2, onLost: failOnLoss });
    for (let seq = 1; seq <= 50; seq += 1) {
      file.append(`line ${String(seq).padStart(4, '0')} ${'x'.repeat(15)}`, seq);
      await file.settled();
    }
    await file.close();
    assert.deepEqual((await readdir(directory.path)).sort(), ['log', 'log.1', 'log.2']);
    const text = (
      await Promise.all(['log.2', 'log.1', 'log'].map((name) => readFile(join(directory.path, name), 'utf8')))
    ).join('');
    const numbers = text
      .trimEnd()
      .split('\n')
      .map((line) => Number(line.split(' ')[1]));
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => 50 - numbers.length + 1 + index),
    );
    assert.ok(numbers.length >= 9);
  });

  it('is begun anew by age', async () => {
    await using directory = await temporaryDirectory();
    let nowMs = Date.now();
    const path = join(directory.path, 'log');
    const options = { maxBytes: 0, maxAgeMs: 1000, keep: 3, onLost: failOnLoss, nowMs: () => nowMs };
    const file = await LogFile.open(path, options);
    file.append('one', 1);
    await file.settled();
    nowMs += 2000;
    file.append('two', 2);
    await file.close();
    assert.equal(await readFile(path, 'utf8'), 'two\n');
    assert.equal(await readFile(`${path}.1`, 'utf8'), 'one\n');
  });

  it('goes on under its name when another program has moved it away', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'log');
    const file = await LogFile.open(path, { maxBytes: 0, maxAgeMs: 0, keep: 1, onLost: failOnLoss });
    file.append('one', 1);
    await file.settled();
    await rename(path, `${path}.moved`);
    file.reopen();
    file.append('two', 2);
    await file.close();
    assert.equal(await readFile(path, 'utf8'), 'two\n');
    assert.equal(await readFile(`${path}.moved`, 'utf8'), 'one\n');
  });
});

async function journalOf(directory: string, maxBytes = 1 << 20): Promise<LogJournal> {
  return await LogJournal.open(directory, { maxBytes, onLost: failOnLoss });
}

function write(journal: LogJournal, count: number, filler = ''): void {
  for (let i = 0; i < count; i += 1) {
    const { nextSeq } = journal;
    journal.append(
      `{"time":"2026-01-31T12:34:56.789Z","level":"info","seq":${nextSeq},"event":"n","filler":"${filler}"}`,
    );
  }
}

async function readAll(journal: LogJournal, from: number): Promise<{ seqs: number[]; missed: number }> {
  const reader = journal.read(from);
  const seqs: number[] = [];
  let missed = 0;
  for (;;) {
    const page = await reader.page();
    if (page.lines.length === 0) return { seqs, missed };
    seqs.push(...page.lines.map((line) => (JSON.parse(line) as { seq: number }).seq));
    missed += page.missed;
  }
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

describe('the journal', () => {
  it('numbers lines without a gap, also when the server starts again', async () => {
    await using directory = await temporaryDirectory();
    const first = await journalOf(directory.path);
    write(first, 1000);
    await first.close();
    const second = await journalOf(directory.path);
    assert.equal(second.id, first.id);
    write(second, 500);
    await second.settled();
    assert.deepEqual(await readAll(second, 1), { seqs: range(1, 1500), missed: 0 });
    assert.deepEqual(await readAll(second, 990), { seqs: range(990, 1500), missed: 0 });
    await second.close();
  });

  it('cuts off half a line that a crash has left', async () => {
    await using directory = await temporaryDirectory();
    const first = await journalOf(directory.path);
    write(first, 10);
    await first.close();
    const [name = ''] = (await readdir(directory.path)).filter((each) => each.endsWith('.jsonl'));
    await appendFile(join(directory.path, name), '{"time":"2026-01-31T12:34:56.789Z","level":"info","se');
    const second = await journalOf(directory.path);
    write(second, 2);
    await second.settled();
    assert.deepEqual(await readAll(second, 1), { seqs: range(1, 12), missed: 0 });
    await second.close();
  });

  it('drops the oldest lines above its length, and tells how many a reader has missed', async () => {
    await using directory = await temporaryDirectory();
    const journal = await journalOf(directory.path, 512 << 10);
    for (let round = 0; round < 100; round += 1) {
      write(journal, 100, 'x'.repeat(100));
      await journal.settled();
    }
    const { firstSeq } = journal;
    assert.ok(firstSeq > 1 && firstSeq < 10_000);
    assert.deepEqual(await readAll(journal, 1), { seqs: range(firstSeq, 10_000), missed: firstSeq - 1 });
    assert.ok((await readdir(directory.path)).length <= 9);
    await journal.close();
  });

  it('tells a reader who is overtaken in the middle what was dropped', async () => {
    await using directory = await temporaryDirectory();
    const journal = await journalOf(directory.path, 512 << 10);
    write(journal, 100, 'x'.repeat(1000));
    await journal.settled();
    const reader = journal.read(1);
    const first = await reader.page();
    for (let round = 0; round < 20; round += 1) {
      write(journal, 100, 'x'.repeat(1000));
      await journal.settled();
    }
    let seen = first.lines.length;
    let missed = 0;
    for (let page = await reader.page(); page.lines.length > 0; page = await reader.page()) {
      seen += page.lines.length;
      missed += page.missed;
    }
    assert.ok(missed > 0);
    assert.equal(seen + missed, 2100);
    await journal.close();
  });

  it('begins a new one where the directory holds something else', async () => {
    await using directory = await temporaryDirectory();
    await writeFile(join(directory.path, 'id'), 'no id\n');
    await writeFile(join(directory.path, 'notes.txt'), 'mine');
    const journal = await journalOf(directory.path);
    assert.match(journal.id, /^[0-9a-f]{16}$/);
    assert.equal(journal.nextSeq, 1);
    await journal.close();
    assert.equal(await readFile(join(directory.path, 'notes.txt'), 'utf8'), 'mine');
  });
});
