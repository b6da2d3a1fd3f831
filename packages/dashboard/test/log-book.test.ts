import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { copiedText, fieldsText, LogBook } from '../../../packages/dashboard/build/model/log-book.js';
import type { LogRecord } from '../../../packages/dashboard/build/server-api.js';

const TIME = '2026-01-31T12:00:00.000Z';

function record(seq: number, given: Partial<LogRecord> = {}): LogRecord {
  return { seq, time: TIME, level: 'info', event: 'connection closed', ...given };
}

function batch(records: readonly LogRecord[], missed = 0) {
  return { records, missed, cursor: `00112233445566aa:${records.at(-1)?.seq ?? 0}` };
}

const everything = { level: 'debug', text: '' } as const;

describe('the log of the page', () => {
  it('keeps lines in their order, and the place to go on from', () => {
    const book = new LogBook();
    assert.equal(book.cursor, undefined);
    book.add(batch([record(1), record(2)]));
    book.add(batch([record(3)]));
    assert.deepEqual(
      book.rows.map((row) => row.kind === 'line' && row.record.seq),
      [1, 2, 3],
    );
    assert.equal(book.cursor, '00112233445566aa:3');
  });

  it('marks where the server does not have lines any more, and how many', () => {
    const book = new LogBook();
    book.add(batch([record(1)]));
    book.add(batch([record(39)], 37));
    book.add(batch([record(41)], 1));
    assert.deepEqual(
      book.rows.map(({ kind }) => kind),
      ['line', 'gap', 'line', 'gap', 'line'],
    );
    const [, gap, , one] = book.rows;
    assert.equal(gap?.kind === 'gap' && gap.count, 37);
    assert.equal(gap?.kind === 'gap' && gap.text, '37 lines are not here: the server does not keep them any more.');
    assert.equal(one?.kind === 'gap' && one.text, 'One line is not here: the server does not keep them any more.');
  });

  it('marks where another log begins, of which nobody knows what came before', () => {
    const book = new LogBook();
    book.add(batch([record(7)], -1));
    assert.equal(book.rows[0]?.kind, 'another-log');
  });

  it('marks lines that the server has summed up', () => {
    const book = new LogBook();
    book.add(batch([record(5, { event: 'lines left out', of: 'login refused', from: '10.0.0.1', count: 80 })]));
    const [mark] = book.rows;
    assert.equal(mark?.kind, 'left-out');
    assert.equal(mark?.text, 'The server has summed up 80 lines of “login refused” from 10.0.0.1.');
  });

  it('forgets the oldest lines when there are too many, and says how many', () => {
    const book = new LogBook(100);
    for (let seq = 1; seq <= 500; seq++) book.add(batch([record(seq)]));
    const shown = book.shown(everything);
    assert.ok(book.rows.length <= 110);
    assert.equal(shown[0]?.kind, 'forgotten');
    assert.equal(book.forgotten + book.rows.length, 500);
    const last = shown.at(-1);
    assert.equal(last?.kind === 'line' && last.record.seq, 500);
  });

  it('shows lines that are important enough, unknown levels, and all marks', () => {
    const book = new LogBook();
    book.add(batch([record(1, { level: 'debug' }), record(2, { level: 'warn' }), record(3, { level: 'fatal' })], 4));
    const kinds = book
      .shown({ level: 'warn', text: '' })
      .map((row) => (row.kind === 'line' ? row.record.level : row.kind));
    assert.deepEqual(kinds, ['gap', 'warn', 'fatal']);
  });

  it('shows lines that have all words, in the event or in the fields', () => {
    const book = new LogBook();
    book.add(batch([record(1, { user: 'Ada', connection: 17 }), record(2, { user: 'grace' }), record(3)]));
    const seqs = (text: string): unknown[] =>
      book.shown({ level: 'debug', text }).map((row) => row.kind === 'line' && row.record.seq);
    assert.deepEqual(seqs('ada closed'), [1]);
    assert.deepEqual(seqs('user='), [1, 2]);
    assert.deepEqual(seqs('connection=17'), [1]);
    assert.deepEqual(seqs('nobody'), []);
  });

  it('shows a paused view as it was, and counts what has come since', () => {
    const book = new LogBook();
    book.add(batch([record(1), record(2)]));
    const pausedAt = book.lastKey;
    book.add(batch([record(3), record(4), record(5)]));
    assert.equal(book.shown(everything, pausedAt).length, 2);
    assert.equal(book.lastKey - pausedAt, 3);
  });

  it('goes on behind the last line when it was cleared, and from the beginning when it was restarted', () => {
    const book = new LogBook();
    book.add(batch([record(1)]));
    book.clear();
    assert.equal(book.rows.length, 0);
    assert.equal(book.cursor, '00112233445566aa:1');
    book.restart();
    assert.equal(book.cursor, undefined);
  });
});

describe('a line of the log', () => {
  it('has its fields behind it, quoted where they would not stay one word', () => {
    const fields = fieldsText(record(1, { connection: 17, user: 'a b', name: 'x=1', empty: '', ok: true, list: [1] }));
    assert.equal(fields, 'connection=17 user="a b" name="x=1" empty="" ok=true list=[1]');
  });

  it('is copied as one line, whatever is in it', () => {
    const book = new LogBook();
    book.add(batch([record(1, { event: 'a\nb', user: 'x\n2026 error forged', esc: '\u001b[2J\u0085' })], 2));
    const copied = book.rows.map(copiedText);
    assert.equal(copied[0], '--- 2 lines are not here: the server does not keep them any more.');
    assert.equal(copied[1], `${TIME} info a\\u000ab user="x\\n2026 error forged" esc="\\u001b[2J\\u0085"`);
  });
});
