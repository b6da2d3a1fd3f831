import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { planSync, type SyncEntry, type SyncListing } from '../../../packages/cli/dist/sync/sync-plan.js';

function listing(entries: readonly SyncEntry[], leftOut: readonly string[] = []): SyncListing {
  return { entries: new Map(entries.map((entry) => [entry.path, entry])), leftOut: new Set(leftOut) };
}

function file(path: string, size = 1, modifiedNs = 0n): SyncEntry {
  return { path, kind: 'file', size, modifiedNs };
}

function directory(path: string): SyncEntry {
  return { path, kind: 'directory', size: 0 };
}

const paths = (entries: readonly SyncEntry[]): string[] => entries.map(({ path }) => path);

describe('the plan of a sync', () => {
  it('moves what is missing or differs in size or time, by more than a microsecond', () => {
    const source = listing([file('new'), file('larger', 2), file('touched', 1, 5000n), file('same', 1, 999n)]);
    const target = listing([file('larger', 1), file('touched'), file('same')]);
    const plan = planSync(source, target, 'size-and-time');
    assert.deepEqual([paths(plan.transfers), plan.unchanged], [['new', 'larger', 'touched'], 1]);
    assert.deepEqual(paths(planSync(source, target, 'size').transfers), ['new', 'larger']);
    const { candidates } = planSync(source, target, 'checksum');
    assert.deepEqual(paths(candidates.map((one) => one.source)), ['touched', 'same']);
  });

  it('deletes a directory as one, unless something in it stays', () => {
    const target = listing([directory('a'), file('a/x'), directory('b'), file('b/x'), file('b/y')], ['b/kept']);
    const plan = planSync(listing([]), target, 'size');
    assert.deepEqual(paths(plan.deletions), ['a', 'b/x', 'b/y']);
    assert.ok(plan.stays('b') && plan.stays('b/kept') && !plan.stays('a'));
  });

  it('leaves on the target what is left out of the source, and what is in it', () => {
    const target = listing([directory('left'), file('left/x'), file('gone')]);
    assert.deepEqual(paths(planSync(listing([], ['left']), target, 'size').deletions), ['gone']);
  });

  it('names what stands in the way of another kind, and does not delete it twice', () => {
    const source = listing([file('a'), directory('b')]);
    const target = listing([directory('a'), file('a/x'), file('b')]);
    const plan = planSync(source, target, 'size');
    assert.deepEqual([paths(plan.obstacles), paths(plan.deletions)], [['a', 'b'], []]);
    assert.deepEqual([paths(plan.transfers), plan.directories], [['a'], ['b']]);
  });

  it('comes to nothing once it is carried out, whatever the sides were', () => {
    const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd/x', 'd/y', 'e/f/g'), { maxLength: 6 });
    const side = fc.tuple(names, fc.array(fc.nat(3), { minLength: 6, maxLength: 6 })).map(([files, sizes]) => {
      const parents = new Set(
        files.flatMap((path) =>
          path
            .split('/')
            .slice(0, -1)
            .map((_, i, all) => all.slice(0, i + 1).join('/')),
        ),
      );
      return [...[...parents].map(directory), ...files.map((path, i) => file(path, sizes[i]!))];
    });
    fc.assert(
      fc.property(side, side, (source, before) => {
        const plan = planSync(listing(source), listing(before), 'size-and-time');
        const after = new Map(before.map((entry) => [entry.path, entry]));
        for (const { path } of [...plan.obstacles, ...plan.deletions]) {
          for (const known of after.keys()) if (known === path || known.startsWith(`${path}/`)) after.delete(known);
        }
        for (const path of plan.directories) after.set(path, directory(path));
        for (const entry of plan.transfers) after.set(entry.path, entry);
        assert.deepEqual(new Set(after.keys()), new Set(paths(source)));
        const again = planSync(listing(source), listing([...after.values()]), 'size-and-time');
        assert.deepEqual([again.transfers, again.directories, again.deletions, again.obstacles], [[], [], [], []]);
      }),
    );
  });
});
