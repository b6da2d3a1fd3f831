import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Scratch } from './support/command.js';

const BUILT = fileURLToPath(new URL('../../../soak/', import.meta.url));
const { growthOf } = (await import(pathToFileURL(`${BUILT}growth.js`).href)) as {
  growthOf(
    samples: readonly { readonly seconds: number; readonly value: number }[],
    leastNoise: number,
  ): { readonly isGrowing: boolean; readonly overall: number; readonly perHour: number };
};

/** What `npm run soak` starts. @returns its exit code, what it said, and the figures that it wrote */
async function soak(...args: string[]) {
  await using scratch = await Scratch.make();
  const json = scratch.path('figures.json');
  const ended = await new Promise<{ code: unknown; output: string }>((resolve) => {
    execFile(process.execPath, [`${BUILT}run.js`, ...args, '--json', json], (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, output: stdout + stderr });
    });
  });
  const figures = JSON.parse(await readFile(json, 'utf8').catch(() => '{}')) as Record<string, unknown>;
  return { ...ended, figures };
}

describe('npm run soak', () => {
  it('has 2,000 clients come, do something and vanish in every way: nothing they held is left', async () => {
    const { code, output, figures } = await soak('--cycles', '2000', '--seed', '1');
    assert.equal(code, 0, output);
    const { cycles, endings, left, after } = figures as {
      cycles: number;
      endings: Record<string, number>;
      left: string[];
      after: Record<string, number>;
    };
    assert.equal(cycles, 2000);
    for (const ending of ['fin', 'reset', 'half-close', 'mid-frame', 'mid-upload', 'silent'])
      assert.ok(endings[ending]! > 100, `${ending}: ${endings[ending]}`);
    assert.deepEqual(left, []);
    assert.equal(after['connections.now'], 1, 'the one that asks');
    assert.deepEqual([after['transfers'], after['openFiles'], after['connections.waiting']], [0, 0, 0]);
  });

  it('has 300 slowloris connections ended by the deadlines, while honest clients go on', async () => {
    const args = ['--slowloris', '300', '--clients', '8', '--deadline', '5', '--min-share', '1'];
    const { code, output, figures } = await soak(...args);
    assert.equal(code, 0, output);
    const { attack, failedTransfers } = figures as {
      attack: { opened: number; stillOpen: number };
      failedTransfers: number;
    };
    assert.deepEqual([attack.opened, attack.stillOpen, failedTransfers], [300, 0, 0]);
  });

  it('compares what it moves while clients come, vanish and are kicked, and ends with a table', async () => {
    const { code, output, figures } = await soak('--minutes', '0.2', '--seed', '2');
    assert.equal(code, 0, output);
    assert.match(output, /^transfers {2,}\d+ uploads of \d+ MiB, .* all equal/m);
    const { transfers, operators } = figures as {
      transfers: { verified: number };
      operators: { kicks: number; logLines: number };
    };
    assert.ok(transfers.verified > 0 && operators.kicks > 0 && operators.logLines > 0, output);
  });

  it('refuses what it cannot do with exit code 2', async () => {
    for (const args of [['--cycles', 'x'], ['--hours', '-1'], ['--cycles', '1', '--slowloris', '1'], ['--week']]) {
      const { code, output } = await soak(...args);
      assert.equal(code, 2, args.join(' '));
      assert.match(output, /usage: npm run soak/);
    }
  });
});

describe('growth, by least squares', () => {
  const hour = (valueAt: (seconds: number) => number) =>
    Array.from({ length: 720 }, (_, i) => ({ seconds: i * 5, value: valueAt(i * 5) }));

  it('is found where a line rises, and not where the beginning does', () => {
    assert.equal(
      growthOf(
        hour((seconds) => 100 + seconds / 30),
        10,
      ).isGrowing,
      true,
    );
    assert.equal(
      growthOf(
        hour((seconds) => 100 + Math.min(seconds, 500)),
        10,
      ).isGrowing,
      false,
    );
  });

  it('is not found in what comes and goes', () => {
    const growth = growthOf(
      hour((seconds) => 100 + 50 * Math.sin(seconds / 7)),
      10,
    );
    assert.equal(growth.isGrowing, false);
    assert.ok(Math.abs(growth.overall) < 5, `${growth.overall}`);
  });

  it('is told as an hour would have it', () => {
    const growth = growthOf(
      hour((seconds) => 100 + seconds / 36),
      10,
    );
    assert.ok(Math.abs(growth.perHour - 100) < 1e-6);
  });
});
