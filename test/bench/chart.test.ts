import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { barChart } from '#bench/chart.js';
import type { Line } from '#bench/lines.js';

describe('a chart', () => {
  it('has a bar for each contender, as long as its median is large', () => {
    const svg = barChart('title', ['machine'], [line('sluice', [50]), line('limit', [100])]);
    const widths = [...svg.matchAll(/<rect class="(ours|limit)" [^>]*width="([\d.]+)"/g)].map(([, , width]) => width);
    assert.deepEqual(widths, ['240.0', '480.0']);
  });

  it('tells ours from the limit and from rivals', () => {
    const svg = barChart('t', ['m'], [line('sluice-32k', [1]), line('limit-32k', [1]), line('plain-net', [1])]);
    const classes = [...svg.matchAll(/<rect class="(\w+)" x=/g)].map(([, name]) => name);
    assert.deepEqual(classes, ['ours', 'limit', 'rival']);
  });

  it('draws the spread of several rounds, and none of one', () => {
    assert.match(barChart('t', ['m'], [line('sluice', [50, 75, 100])]), /<line class="spread" x1="410.0" x2="650.0"/);
    assert.doesNotMatch(barChart('t', ['m'], [line('sluice', [75])]), /<line class="spread"/);
  });

  it('has a panel for each quantity, four at most', () => {
    const lines = ['a', 'b', 'c', 'd', 'e'].map((quantity) => ({ ...line('sluice', [1]), quantity }));
    assert.equal(barChart('t', ['m'], lines).match(/\(more is better\)/g)?.length, 4);
  });

  it('can be read on a light and on a dark page', () => {
    assert.match(barChart('t', ['m'], [line('sluice', [1])]), /prefers-color-scheme: dark/);
  });

  it('has whatever a name holds as text, and all values 0 as empty bars', () => {
    const svg = barChart('<&">', ['m'], [line('<script>', [0])]);
    assert.ok(!svg.includes('<script>'));
    assert.ok(svg.includes('&lt;&amp;&quot;&gt;'));
    assert.match(svg, /<rect class="rival" [^>]*width="0.0"/);
  });
});

function line(contender: string, values: readonly number[]): Line {
  return { scenario: 'ping-pong', contender, quantity: 'messages/s', better: 'more', digits: 0, values };
}
