import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  BufferPool,
  type FrameSink,
  FramingError,
  LengthFieldDecoder,
  type LengthFieldLayout,
  OptionsError,
} from '@sluice/framing';
import { splitEvery, splitsInTwo } from '@sluice/testkit';
import fc from 'fast-check';

const plain: LengthFieldLayout = { byteOrder: 'little', maxLength: 1 << 20 };

/** Collects copies of all frames; answers and pieces as told. */
class Collector implements FrameSink {
  readonly frames: string[] = [];
  stopAfterEach = false;
  onFrame(source: Uint8Array, start: number, end: number): boolean {
    this.frames.push(Buffer.from(source.subarray(start, end)).toString('hex'));
    return !this.stopAfterEach;
  }
}

class PieceCollector extends Collector {
  takesPieces: (frameLength: number) => boolean = () => true;
  readonly pieces: string[] = [];
  #open = '';
  onBegun(source: Uint8Array, start: number, end: number, frameLength: number): boolean {
    if (!this.takesPieces(frameLength)) return false;
    this.#open = Buffer.from(source.subarray(start, end)).toString('hex');
    return true;
  }
  onPiece(source: Uint8Array, start: number, end: number, isLast: boolean): boolean {
    this.#open += Buffer.from(source.subarray(start, end)).toString('hex');
    if (isLast) {
      this.frames.push(this.#open);
      this.pieces.push(this.#open);
    }
    return !this.stopAfterEach;
  }
}

function frame(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + payload.length);
  new DataView(bytes.buffer).setUint32(0, payload.length, true);
  bytes.set(payload, 4);
  return bytes;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function decode(chunks: Iterable<Uint8Array>, sink: Collector, layout = plain): string[] {
  const decoder = new LengthFieldDecoder(layout, sink);
  for (const chunk of chunks) {
    let wantsMore = decoder.push(chunk, 0, chunk.length);
    while (!wantsMore) wantsMore = decoder.resume();
  }
  assert.equal(decoder.bufferedBytes, 0);
  assert.equal(decoder.isMidFrame, false);
  return sink.frames;
}

const payloads = [
  new Uint8Array(0),
  Uint8Array.of(1),
  new Uint8Array(300).fill(7),
  Uint8Array.of(1, 2, 3),
  new Uint8Array(5000).fill(9),
];
const stream = join(payloads.map(frame));
const expected = payloads.map((payload) => Buffer.from(frame(payload)).toString('hex'));

describe('length-field decoder', () => {
  for (const size of [1, 2, 3, 4, 5, 7, 64, 4096]) {
    it(`yields the same frames when the bytes arrive ${size} at a time`, () => {
      assert.deepEqual(decode(splitEvery(stream, size), new Collector()), expected);
    });
    it(`yields the same frames in pieces of ${size}`, () => {
      assert.deepEqual(decode(splitEvery(stream, size), new PieceCollector()), expected);
    });
    it(`yields the same frames when the sink stops after each one, ${size} bytes at a time`, () => {
      const sink = new PieceCollector();
      sink.stopAfterEach = true;
      sink.takesPieces = (length) => length > 1000;
      assert.deepEqual(decode(splitEvery(stream, size), sink), expected);
    });
  }

  it('yields the same frames wherever the stream is cut in two', () => {
    for (const halves of splitsInTwo(stream.subarray(0, 330))) {
      const sink = new Collector();
      const decoder = new LengthFieldDecoder(plain, sink);
      for (const half of halves) decoder.push(half, 0, half.length);
      assert.deepEqual(sink.frames, expected.slice(0, 4));
    }
  });

  it('yields the same frames for any frames, cuts, stops and pieces', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 20 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 700 })),
        fc.infiniteStream(fc.boolean()),
        (given, cuts, flips) => {
          const bytes = join(given.map(frame));
          const chunks: Uint8Array[] = [];
          for (let at = 0; at < bytes.length; ) {
            const size = cuts.next().value as number;
            chunks.push(bytes.slice(at, at + size));
            at += size;
          }
          const sink = new PieceCollector();
          sink.takesPieces = () => flips.next().value as boolean;
          const inner = sink.onFrame.bind(sink);
          sink.onFrame = (source, start, end) => inner(source, start, end) && (flips.next().value as boolean);
          assert.deepEqual(
            decode(chunks, sink),
            given.map((payload) => Buffer.from(frame(payload)).toString('hex')),
          );
        },
      ),
    );
  });

  it('reports a frame that is whole in the chunk where it lies, without a copy', () => {
    const chunk = join([frame(Uint8Array.of(1, 2)), frame(Uint8Array.of(3))]);
    const sources: Uint8Array[] = [];
    const decoder = new LengthFieldDecoder(plain, {
      onFrame(source) {
        sources.push(source);
        return true;
      },
    });
    decoder.push(chunk, 0, chunk.length);
    assert.equal(sources.length, 2);
    for (const source of sources) assert.equal(source, chunk);
  });

  it('keeps the bytes of an assembled frame valid until the next push, although another frame has begun', () => {
    const first = frame(new Uint8Array(100).fill(1));
    const second = frame(new Uint8Array(100).fill(2));
    const seen: Uint8Array[] = [];
    const decoder = new LengthFieldDecoder(plain, {
      onFrame(source, start, end) {
        seen.push(source.subarray(start, end));
        return true;
      },
    });
    decoder.push(first, 0, 50);
    const rest = join([first.subarray(50), second.subarray(0, 60)]);
    decoder.push(rest, 0, rest.length);
    assert.deepEqual(seen, [first]);
  });

  it('copies what it keeps, so that the chunk may be overwritten', () => {
    const sink = new Collector();
    sink.stopAfterEach = true;
    const decoder = new LengthFieldDecoder(plain, sink);
    const chunk = Buffer.from(stream.slice());
    assert.equal(decoder.push(chunk, 0, chunk.length), false);
    chunk.fill(0xee);
    while (!decoder.resume());
    assert.deepEqual(sink.frames, expected);
  });

  it('keeps bytes in order that are pushed while the sink has stopped it', () => {
    const sink = new Collector();
    sink.stopAfterEach = true;
    const decoder = new LengthFieldDecoder(plain, sink);
    for (const chunk of splitEvery(stream, 700)) decoder.push(chunk, 0, chunk.length);
    while (!decoder.resume());
    assert.deepEqual(sink.frames, expected);
  });

  it('keeps bytes that it is told to hold, one at a time, behind those it holds, and takes them when it resumes', () => {
    const sink = new Collector();
    sink.stopAfterEach = true;
    const decoder = new LengthFieldDecoder(plain, sink);
    decoder.push(stream, 0, 40);
    for (let at = 40; at < stream.length; at++) decoder.hold(stream, at, at + 1);
    assert.ok(decoder.isMidFrame);
    while (!decoder.resume());
    assert.deepEqual(sink.frames, expected);
    assert.equal(decoder.bufferedBytes, 0);
  });

  it('refuses a declared length above the limit as soon as the length is known, and keeps nothing', () => {
    const pool = new BufferPool();
    const decoder = new LengthFieldDecoder({ byteOrder: 'little', maxLength: 10_485_760 }, new Collector(), pool);
    assert.throws(() => decoder.push(Uint8Array.of(0x01, 0x00, 0xa0, 0x00), 0, 4), {
      name: 'FramingError',
      code: 'ERR_FRAME_TOO_LARGE',
    });
    assert.equal(decoder.bufferedBytes, 0);
    const accepted = new LengthFieldDecoder({ byteOrder: 'little', maxLength: 10_485_760 }, new Collector(), pool);
    assert.equal(accepted.push(Uint8Array.of(0x00, 0x00, 0xa0, 0x00), 0, 4), true);
    assert.equal(accepted.bufferedBytes, 4);
  });

  it('refuses a declared length below the limit as soon as the length is known', () => {
    const decoder = new LengthFieldDecoder({ ...plain, minLength: 4 }, new Collector());
    decoder.push(Uint8Array.of(3, 0, 0), 0, 3);
    assert.throws(() => decoder.push(Uint8Array.of(0), 0, 1), { code: 'ERR_FRAME_TOO_SMALL' });
  });

  it('reports the frames in front of a bad length', () => {
    const sink = new Collector();
    const decoder = new LengthFieldDecoder(plain, sink);
    const bytes = join([frame(Uint8Array.of(5)), Uint8Array.of(255, 255, 255, 255)]);
    assert.throws(() => decoder.push(bytes, 0, bytes.length), FramingError);
    assert.equal(sink.frames.length, 1);
  });

  it('grows with the bytes that come, not with the length that is declared', () => {
    const taken: number[] = [];
    const pool = new (class extends BufferPool {
      override take(bytes: number): Uint8Array {
        taken.push(bytes);
        return super.take(bytes);
      }
    })();
    const decoder = new LengthFieldDecoder({ byteOrder: 'little', maxLength: 1 << 30 }, new Collector(), pool);
    decoder.push(Uint8Array.of(0, 0, 0, 0x20), 0, 4);
    decoder.push(new Uint8Array(1000), 0, 1000);
    assert.ok(Math.max(...taken) <= 2008, `took ${Math.max(...taken)}`);
  });

  it('gives the memory of a large frame back', () => {
    const pool = new BufferPool();
    const decoder = new LengthFieldDecoder({ byteOrder: 'little', maxLength: 1 << 30 }, new Collector(), pool);
    const bytes = frame(new Uint8Array(8 << 20));
    for (const chunk of splitEvery(bytes, 64 << 10)) decoder.push(chunk, 0, chunk.length);
    assert.equal(decoder.bufferedBytes, 0);
    assert.ok(pool.retainedBytes <= 4 << 20);
    decoder.reset();
    assert.equal(decoder.isMidFrame, false);
  });

  it('copies each byte of a large frame a bounded number of times when it arrives byte by byte', () => {
    let copied = 0;
    const pool = new (class extends BufferPool {
      override take(bytes: number): Uint8Array {
        copied += bytes;
        return super.take(bytes);
      }
    })();
    const sink = new Collector();
    const decoder = new LengthFieldDecoder(plain, sink, pool);
    const bytes = frame(new Uint8Array(1 << 18).fill(3));
    for (let at = 0; at < bytes.length; at++) decoder.push(bytes, at, at + 1);
    assert.equal(sink.frames.length, 1);
    assert.ok(copied < 4 * bytes.length, `buffers of ${copied} bytes for a frame of ${bytes.length}`);
  });

  for (const chunkBytes of [1460, 65_536, 262_144]) {
    it(`takes buffers of a few times 10 MiB for a frame of 10 MiB in chunks of ${chunkBytes} bytes`, () => {
      let taken = 0;
      let mostBuffered = 0;
      const pool = new (class extends BufferPool {
        override take(bytes: number): Uint8Array {
          taken += bytes;
          return super.take(bytes);
        }
      })();
      let frames = 0;
      const decoder = new LengthFieldDecoder(
        { byteOrder: 'little', maxLength: 10_485_760 },
        {
          onFrame() {
            frames += 1;
            return true;
          },
        },
        pool,
      );
      const bytes = frame(new Uint8Array(10_485_760));
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        decoder.push(bytes, at, Math.min(bytes.length, at + chunkBytes));
        mostBuffered = Math.max(mostBuffered, decoder.bufferedBytes);
      }
      assert.equal(frames, 1);
      assert.ok(mostBuffered <= bytes.length);
      assert.ok(taken < 4 * bytes.length, `buffers of ${taken} bytes`);
    });
  }

  const layouts: [string, LengthFieldLayout, number[], number[]][] = [
    ['one byte that counts what follows', { lengthWidth: 1, maxLength: 255 }, [2, 9, 9], [2, 9, 9]],
    ['two bytes, big-endian', { lengthWidth: 2, maxLength: 500 }, [0, 1, 9], [0, 1, 9]],
    ['three bytes, little-endian', { lengthWidth: 3, byteOrder: 'little', maxLength: 500 }, [1, 0, 0, 9], [1, 0, 0, 9]],
    ['six bytes', { lengthWidth: 6, maxLength: 500 }, [0, 0, 0, 0, 0, 1, 9], [0, 0, 0, 0, 0, 1, 9]],
    ['a length behind a tag', { lengthOffset: 1, lengthWidth: 1, maxLength: 9 }, [77, 1, 9], [77, 1, 9]],
    [
      'a length that counts the whole frame',
      { lengthWidth: 2, lengthAdjustment: -2, maxLength: 9 },
      [0, 3, 9],
      [0, 3, 9],
    ],
    ['a length without its trailer', { lengthWidth: 1, lengthAdjustment: 2, maxLength: 9 }, [1, 9, 8, 7], [1, 9, 8, 7]],
  ];
  for (const [title, layout, bytes, whole] of layouts) {
    it(`reads ${title}`, () => {
      for (const size of [1, 100]) {
        const twice = Uint8Array.from([...bytes, ...bytes]);
        const hex = Buffer.from(whole).toString('hex');
        assert.deepEqual(decode(splitEvery(twice, size), new Collector(), layout), [hex, hex]);
      }
    });
  }

  it('refuses layouts that contradict themselves', () => {
    const bad: LengthFieldLayout[] = [
      { lengthWidth: 7, maxLength: 1 },
      { lengthWidth: 1, maxLength: 256 },
      { lengthOffset: -1, maxLength: 1 },
      { lengthAdjustment: -4, minLength: 3, maxLength: 10 },
      { minLength: 5, maxLength: 4 },
      { lengthAdjustment: 0.5, maxLength: 4 },
      { maxLength: 1.5 },
    ];
    for (const layout of bad) assert.throws(() => new LengthFieldDecoder(layout, new Collector()), OptionsError);
  });
});

describe('buffer pool', () => {
  it('lends a returned buffer again', () => {
    const pool = new BufferPool();
    const buffer = pool.take(1000);
    pool.give(buffer);
    assert.equal(pool.take(900), buffer);
    assert.equal(pool.retainedBytes, 0);
  });

  it('retains no more than it was told to, and no buffer above 1 MiB', () => {
    const pool = new BufferPool(8192);
    for (let i = 0; i < 10; i++) pool.give(new Uint8Array(4096));
    assert.equal(pool.retainedBytes, 8192);
    pool.give(new Uint8Array(2 << 20));
    assert.equal(pool.retainedBytes, 8192);
  });
});
