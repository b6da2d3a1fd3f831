import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProgressDisplay } from '../../../packages/cli/dist/terminal/progress-display.js';
import {
  type ProgressView,
  progressLines,
  type RunningTransfer,
} from '../../../packages/cli/dist/terminal/progress-lines.js';
import { RateMeter } from '../../../packages/cli/dist/terminal/rate-meter.js';
import { displayWidth } from '../../../packages/cli/dist/terminal/terminal-text.js';

const MiB = 2 ** 20;
const half: RunningTransfer = {
  name: 'half.bin',
  bytesDone: 512 * MiB,
  bytesTotal: 1024 * MiB,
  bytesPerSecond: 100 * MiB,
};
const view: ProgressView = {
  running: [half, { ...half, name: '漢字かな\x1b[2J交じりの長い名前.bin', bytesDone: 0 }],
  summary: { filesDone: 3, filesTotal: 300, bytesDone: 600 * MiB, bytesTotal: 6000 * MiB, bytesPerSecond: 200 * MiB },
  note: 'link broken, trying again in 2 s (attempt 2)',
};

describe('progress lines', () => {
  it('show bar, share, bytes, rate and time left', () => {
    const [line] = progressLines({ ...view, running: [half] }, { columns: 100, rows: 24, hasColours: false });
    assert.equal(line, 'half.bin        ━━━━━━━━━━──────────   50%   512 MiB/1.00 GiB   100 MiB/s      6 s left');
  });

  it('never exceed the width, and share their columns', () => {
    for (let columns = 1; columns <= 120; columns++) {
      const lines = progressLines(view, { columns, rows: 24, hasColours: false });
      assert.equal(lines.length, 4);
      for (const line of lines) assert.ok(displayWidth(line) <= columns, `${columns}: ${line}`);
      const ends = lines.slice(0, 3).map((line) => displayWidth(line.slice(0, line.indexOf('%'))));
      if (lines.every((line, index) => index === 3 || line.includes('%'))) assert.equal(new Set(ends).size, 1);
    }
  });

  it('leave out the bar first, and keep the share to the last', () => {
    const at = (columns: number) =>
      progressLines({ ...view, running: [] }, { columns, rows: 24, hasColours: false })[0];
    assert.match(at(70) ?? '', /^3 of 300 files +10% +600 MiB\/5.86 GiB +200 MiB\/s +27 s left$/);
    assert.match(at(50) ?? '', /^3 of 300 files +10% +200 MiB\/s +27 s left$/);
    assert.match(at(20) ?? '', /10%$/);
  });

  it('use colours only where they are wanted, and let no name bring its own', () => {
    const layout = { columns: 100, rows: 24 };
    assert.ok(
      !progressLines(view, { ...layout, hasColours: false })
        .join('')
        .includes('\x1b'),
    );
    const coloured = progressLines(view, { ...layout, hasColours: true }).join('');
    assert.ok(coloured.includes('\x1b[32m'));
    assert.ok(!coloured.includes('\x1b[2J'));
  });

  it('are one for all where the transfers do not fit', () => {
    const lines = progressLines(view, { columns: 80, rows: 3, hasColours: false });
    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? '', /^3 of 300 files/);
  });

  it('promise no time while nothing is known', () => {
    const unknown = { ...half, bytesTotal: undefined, bytesPerSecond: undefined };
    const lines = progressLines(
      { running: [unknown], summary: undefined, note: undefined },
      {
        columns: 100,
        rows: 24,
        hasColours: false,
      },
    );
    assert.match(lines[0] ?? '', /^half\.bin +512 MiB$/);
  });

  it('say that a transfer is stalled instead of promising years', () => {
    const lines = progressLines(
      { running: [{ ...half, bytesPerSecond: 0 }], summary: undefined, note: undefined },
      {
        columns: 100,
        rows: 24,
        hasColours: false,
      },
    );
    assert.match(lines[0] ?? '', /0 B\/s +stalled$/);
  });
});

describe('rate meter', () => {
  it('averages over the last five seconds', () => {
    const meter = new RateMeter(0);
    for (let ms = 100; ms <= 10_000; ms += 100) meter.add(100, ms);
    for (let ms = 10_100; ms <= 20_000; ms += 100) meter.add(300, ms);
    assert.equal(Math.round(meter.bytesPerSecond(20_000) ?? 0), 3000);
  });

  it('tells nothing before something has come, and sinks when nothing comes any more', () => {
    const meter = new RateMeter(0);
    assert.equal(meter.bytesPerSecond(1000), undefined);
    meter.add(1000, 1000);
    assert.equal(meter.bytesPerSecond(2000), 500);
    assert.equal(meter.bytesPerSecond(10_000), 0);
  });
});

describe('progress display', () => {
  it('draws over itself, keeps lines above, and gives the cursor back', () => {
    let written = '';
    let nowMs = 0;
    const write = (text: string): void => {
      written += text;
    };
    const screen = { columns: 81, rows: 24, hasColours: false, write };
    const display = new ProgressDisplay(screen, { files: 2, bytes: 3000 }, () => nowMs);
    assert.equal(written, '\x1b[?25l');
    const entry = display.begin('a.bin', 1000);
    nowMs = 1000;
    entry.update({ bytesDone: 700, bytesTotal: 1000, bytesResumed: 200 });
    written = '';
    display.draw();
    const [first, second] = written.split('\n');
    assert.match(first ?? '', /^a\.bin .* 70% {2,}700 B\/1000 B +500 B\/s +1 s left$/);
    assert.match(second ?? '', /^0 of 2 files .* 23% /);

    written = '';
    display.draw();
    assert.ok(written.startsWith('\x1b[2A\r\x1b[0J'), 'two lines up, and cleared');

    written = '';
    display.above(() => screen.write('a result\n'));
    assert.equal(written, '\x1b[2A\r\x1b[0Ja result\n');

    entry.end(1000);
    display.note(2000, (leftMs) => `again in ${leftMs} ms`);
    nowMs = 1500;
    written = '';
    display.draw();
    assert.match(written, /^1 of 2 files .*33%.*\nagain in 1500 ms\n$/);

    written = '';
    display[Symbol.dispose]();
    assert.equal(written, '\x1b[2A\r\x1b[0J\x1b[?25h');
  });
});
