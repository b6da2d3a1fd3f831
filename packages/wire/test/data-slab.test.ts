import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LengthFieldDecoder } from '@sluice/framing';
import { commandTextEnd, DataSlab, dataRequestText, packetLayout } from '@sluice/wire';
import fc from 'fast-check';

const text = dataRequestText();
const overhead = 8 + text.length;

/** The data of each packet. */
function dataOf(packets: Uint8Array): Buffer[] {
  const data: Buffer[] = [];
  const decoder = new LengthFieldDecoder(packetLayout(), {
    onFrame(source, start, end) {
      const textEnd = commandTextEnd(source, start, end - start);
      assert.deepEqual(Buffer.from(source.subarray(start + 8, textEnd)), Buffer.from(text));
      data.push(Buffer.from(source.subarray(textEnd, end)));
      return true;
    },
  });
  decoder.push(packets, 0, packets.length);
  assert.equal(decoder.isMidFrame, false);
  return data;
}

/** Reads `content` into the gaps as `readv` would. */
function fillGaps(gaps: readonly Uint8Array[], content: Uint8Array): void {
  let at = 0;
  for (const gap of gaps) {
    gap.set(content.subarray(at, at + gap.length));
    at += gap.length;
  }
}

function content(bytes: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + seed) & 255));
}

describe('data slab', () => {
  it('has as many packets as fit, and gaps of one size', () => {
    const slab = new DataSlab(new Uint8Array(10 * (overhead + 100) + 99), text, 100);
    assert.equal(slab.gaps.length, 10);
    assert.equal(slab.capacityBytes, 1000);
    for (const gap of slab.gaps) assert.equal(gap.length, 100);
  });

  it('lowers the data of a packet to what fits', () => {
    const slab = new DataSlab(new Uint8Array(overhead + 50), text, 1 << 30);
    assert.deepEqual([slab.gaps.length, slab.capacityBytes], [1, 50]);
  });

  it('never has more gaps than one call to the system takes', () => {
    const slab = new DataSlab(new Uint8Array(1 << 20), text, 1);
    assert.ok(slab.gaps.length <= 1024);
    assert.equal(slab.capacityBytes, slab.gaps.length);
  });

  it('gives gaps for at most the bytes that are wanted', () => {
    const slab = new DataSlab(new Uint8Array(5 * (overhead + 10)), text, 10);
    const sizes = (limit: number) => slab.gapsFor(limit).map((gap) => gap.length);
    assert.deepEqual(sizes(0), []);
    assert.deepEqual(sizes(1), [1]);
    assert.deepEqual(sizes(10), [10]);
    assert.deepEqual(sizes(25), [10, 10, 5]);
    assert.deepEqual(sizes(49), [10, 10, 10, 10, 9]);
    assert.deepEqual(sizes(50), [10, 10, 10, 10, 10]);
    assert.deepEqual(sizes(1e9), [10, 10, 10, 10, 10]);
  });

  it('shortens the last packet to what it carries, and is whole again afterwards', () => {
    const slab = new DataSlab(new Uint8Array(3 * (overhead + 10)), text, 10);
    for (const bytes of [25, 30, 1, 10, 11, 30, 0, 29, 20]) {
      const given = content(bytes, bytes);
      fillGaps(slab.gapsFor(bytes), given);
      const data = dataOf(slab.packets(bytes));
      assert.deepEqual(Buffer.concat(data), given);
      assert.equal(data.length, Math.ceil(bytes / 10));
    }
  });

  it('carries exactly the bytes it was filled with, for any sizes, over and over', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3000 }),
        fc.integer({ min: 1, max: 4000 }),
        fc.array(fc.tuple(fc.nat(4000), fc.boolean()), { minLength: 1, maxLength: 10 }),
        (room, packetBytes, fills) => {
          const slab = new DataSlab(new Uint8Array(overhead + room).fill(0xee), text, packetBytes);
          const size = slab.gaps[0]!.length;
          assert.ok(size >= 1 && size <= packetBytes);
          fills.forEach(([wanted, isCutShort], round) => {
            const gaps = slab.gapsFor(wanted);
            const offered = gaps.reduce((bytes, gap) => bytes + gap.length, 0);
            assert.equal(offered, Math.min(wanted, slab.capacityBytes));
            const given = content(isCutShort ? offered >> 1 : offered, round); // a read may bring less
            fillGaps(gaps, given);
            const data = dataOf(slab.packets(given.length));
            assert.ok(Buffer.concat(data).equals(given));
            for (const [i, part] of data.entries()) {
              if (i < data.length - 1) assert.equal(part.length, size);
              else assert.ok(part.length >= 1);
            }
          });
        },
      ),
    );
  });
});
