import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CpuProfile, frameTree, functionCosts } from '#bench/cpu-profile.js';
import { flameGraph } from '#bench/flame-graph.js';
import { heldBytes } from '#bench/heap-profile.js';

/** main calls work twice from different lines, work calls write; between them the program waits. */
const profile: CpuProfile = {
  nodes: [
    node(1, '(root)', '', [2, 6]),
    node(2, 'main', 'file:///x/packages/cli/dist/main.js', [3, 5]),
    node(3, 'work', 'file:///x/packages/core/dist/work.js', [4]),
    node(4, 'write', 'node:net'),
    node(5, 'work', 'file:///x/packages/core/dist/work.js'),
    node(6, '(idle)', ''),
  ],
  samples: [2, 3, 4, 6, 5],
  timeDeltas: [0, 10, 20, 30, 1000, 0],
};

describe('a CPU profile', () => {
  it('gives each function the time until the next sample, and waiting none', () => {
    const costs = functionCosts(frameTree(profile)).map(({ name, selfUs }) => [name, selfUs]);
    assert.deepEqual(costs, [
      ['write', 30],
      ['work', 20],
      ['main', 10],
    ]);
  });

  it('adds up what is called, and takes calls of one function from one place together', () => {
    const tree = frameTree(profile);
    assert.equal(tree.totalUs, 60);
    const [main] = tree.children;
    assert.deepEqual(
      main?.children.map(({ name, totalUs }) => [name, totalUs]),
      [['work', 50]],
    );
  });

  it('tells places by package and file', () => {
    const places = functionCosts(frameTree(profile)).map(({ place }) => place);
    assert.deepEqual(places, ['node:net:1', 'core/dist/work.js:1', 'cli/dist/main.js:1']);
  });

  it('without samples is an empty tree', () => {
    assert.equal(frameTree({ nodes: [], samples: [], timeDeltas: [] }).totalUs, 0);
  });
});

describe('a flame graph', () => {
  it('is as wide as the time, with what is called inside its caller', () => {
    const svg = flameGraph('title', frameTree(profile));
    assert.match(svg, /<title>main\ncli\/dist\/main.js:1\n100.0 % in all, 16.7 % itself<\/title>/);
    assert.match(svg, /<rect class="ours" x="0.0" y="84" width="1000.0"/); // work, 50 of 60 µs
    assert.match(svg, /<rect class="node" x="0.0" y="102" width="600.0"/); // write, 30 of 60 µs
  });

  it('has names as text, whatever they hold', () => {
    const nodes = [node(1, '(root)', '', [2]), node(2, 'a<b>&"', 'file:///f.js')];
    const svg = flameGraph('<t>', frameTree({ nodes, samples: [2, 2], timeDeltas: [0, 5] }));
    assert.ok(svg.includes('a&lt;b&gt;&amp;&quot;'));
    assert.ok(!svg.includes('<t>'));
  });

  it('of nothing is drawn, too', () => {
    assert.match(flameGraph('t', frameTree({ nodes: [], samples: [], timeDeltas: [] })), /^<svg /);
  });
});

describe('a heap profile', () => {
  it('adds up what is held by the function that allocated it', () => {
    const leaf = (functionName: string, selfSize: number) => ({
      callFrame: { functionName, url: 'file:///x/packages/core/dist/pool.js', lineNumber: 4 },
      selfSize,
      children: [],
    });
    const head = { ...leaf('(root)', 0), children: [leaf('take', 100), leaf('', 300), leaf('take', 250)] };
    assert.deepEqual(heldBytes({ head }), [
      { name: 'take', place: 'core/dist/pool.js:5', bytes: 350 },
      { name: '(anonymous)', place: 'core/dist/pool.js:5', bytes: 300 },
    ]);
  });
});

function node(id: number, functionName: string, url: string, children?: readonly number[]) {
  return { id, callFrame: { functionName, url, lineNumber: 0 }, ...(children && { children }) };
}
