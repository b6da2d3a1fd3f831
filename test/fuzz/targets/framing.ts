import assert from 'node:assert/strict';
import { FramingError, LengthFieldDecoder, type LengthFieldLayout } from '@sluice/framing';
import type { RandomSource } from '@sluice/testkit';
import { packetLayout } from '@sluice/wire';
import { bytesOf, mutateBytes, textOf } from '../byte-text.js';
import type { FuzzTarget } from '../fuzz-target.js';

interface FramingInput {
  readonly layout: number;
  readonly bytes: string;
  /** Where the stream is cut; the sink stops after each frame whose number is here. */
  readonly cuts: readonly number[];
  readonly stops: readonly number[];
  /** Frames longer than this are taken in pieces. */
  readonly piecesAbove: number;
}

const LAYOUTS: readonly LengthFieldLayout[] = [
  packetLayout(),
  { maxLength: 1000 },
  { lengthOffset: 3, lengthWidth: 2, byteOrder: 'little', maxLength: 300 },
  { lengthWidth: 1, lengthAdjustment: -1, maxLength: 255 },
  { lengthOffset: 1, lengthWidth: 6, lengthAdjustment: 2, maxLength: 2 ** 20 },
  { lengthWidth: 3, minLength: 5, maxLength: 70_000 },
];

interface Outcome {
  readonly frames: string[];
  readonly error: string | undefined;
}

/** The same frames come, and the same error, however the bytes are cut, stopped at or taken in pieces; and no more is kept than has come. */
export const framing: FuzzTarget<FramingInput> = {
  name: 'framing',
  generate(random) {
    const layout = random.below(LAYOUTS.length);
    const bytes = Array.from({ length: random.between(1, 8) }, () => frameOf(LAYOUTS[layout]!, random));
    const text = textOf(Buffer.concat(bytes));
    return { layout, bytes: text, ...cutsOf(text, random) };
  },
  mutate(input, random) {
    const bytes = random.chance(0.7) ? mutateBytes(input.bytes, random) : input.bytes;
    return {
      layout: random.chance(0.1) ? random.below(LAYOUTS.length) : input.layout,
      bytes,
      ...cutsOf(bytes, random),
    };
  },
  run({ layout: index, bytes: text, cuts, stops, piecesAbove }) {
    const layout = LAYOUTS[index]!;
    const bytes = bytesOf(text);
    const whole = decode(layout, bytes, [], [], Number.POSITIVE_INFINITY);
    assert.deepEqual(decode(layout, bytes, cuts, stops, piecesAbove), whole);
    return `${index} ${Math.min(whole.frames.length, 3)} ${whole.error?.split(' ', 1)[0]} ${stops.length > 0} ${Number.isFinite(piecesAbove)}`;
  },
  split: ({ bytes }) => bytes.split(''),
  join: (parts, input) => ({ ...input, bytes: parts.join('') }),
};

function frameOf(
  { lengthOffset = 0, lengthWidth = 4, byteOrder = 'big', lengthAdjustment = 0, maxLength }: LengthFieldLayout,
  random: RandomSource,
): Buffer {
  const body = random.between(0, Math.min(200, maxLength));
  const frame = Buffer.concat([random.bytes(lengthOffset), Buffer.alloc(lengthWidth), random.bytes(body)]);
  const declared = Math.max(0, body - lengthAdjustment);
  if (byteOrder === 'big') frame.writeUIntBE(declared % 256 ** lengthWidth, lengthOffset, lengthWidth);
  else frame.writeUIntLE(declared % 256 ** lengthWidth, lengthOffset, lengthWidth);
  return frame;
}

function cutsOf(text: string, random: RandomSource): Pick<FramingInput, 'cuts' | 'stops' | 'piecesAbove'> {
  const cuts = Array.from({ length: random.between(0, 10) }, () => random.below(text.length + 1));
  return {
    cuts: [...new Set(cuts)].sort((one, other) => one - other),
    stops: random.chance(0.5) ? [] : [...new Set(Array.from({ length: 3 }, () => random.below(6)))],
    piecesAbove: random.chance(0.5) ? 1e9 : random.between(0, 100),
  };
}

function decode(
  layout: LengthFieldLayout,
  bytes: Buffer,
  cuts: readonly number[],
  stops: readonly number[],
  piecesAbove: number,
): Outcome {
  const frames: string[] = [];
  let pieces: string | undefined;
  const wantsMore = (): boolean => !stops.includes(frames.length - 1);
  const decoder = new LengthFieldDecoder(layout, {
    onFrame(source, start, end) {
      frames.push(textOf(source.subarray(start, end)));
      return wantsMore();
    },
    onBegun(source, start, end, frameLength) {
      if (frameLength <= piecesAbove) return false;
      pieces = textOf(source.subarray(start, end));
      return true;
    },
    onPiece(source, start, end, isLast) {
      pieces += textOf(source.subarray(start, end));
      if (!isLast) return true;
      frames.push(pieces!);
      return wantsMore();
    },
  });
  try {
    let at = 0;
    for (const cut of [...cuts, bytes.length]) {
      // A copy that is spoilt afterwards: nobody may keep a view of it.
      const chunk = Buffer.from(bytes.subarray(at, cut));
      at = cut;
      for (let goesOn = decoder.push(chunk, 0, chunk.length); !goesOn; ) goesOn = decoder.resume();
      chunk.fill(0xdb);
      assert.ok(decoder.bufferedBytes <= cut, `${decoder.bufferedBytes} bytes are kept of ${cut}`);
    }
    return { frames, error: undefined };
  } catch (error) {
    if (!(error instanceof FramingError)) throw error;
    return { frames, error: `${error.code} ${error.message}` };
  } finally {
    decoder.reset();
    assert.equal(decoder.bufferedBytes, 0);
  }
}
