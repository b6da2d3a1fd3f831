import type { RandomSource } from '@sluice/testkit';

/** Numbers at which something changes. */
const INTERESTING = [0, 1, 3, 4, 7, 8, 9, 0x16, 0x7f, 0x80, 0xff];
const WORDS = [0, 1, 4, 0xff, 0xffff, 10_485_756, 10_485_760, 10_485_761, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

export function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Bytes as a string of characters 0 to 255: how they are kept in a corpus. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** Changes bytes at some places: single ones, words, runs that are repeated, moved or left out, and what `dictionary` has. */
export function mutateBytes(text: string, random: RandomSource, dictionary: readonly string[] = []): string {
  let changed = text;
  do changed = mutateOnce(changed, random, dictionary);
  while (random.chance(0.5));
  return changed.slice(0, 100_000);
}

function mutateOnce(text: string, random: RandomSource, dictionary: readonly string[]): string {
  const at = random.below(text.length + 1);
  const run = Math.min(text.length - at, random.chance(0.8) ? random.between(1, 8) : random.between(1, 200));
  const [before, inside, behind] = [text.slice(0, at), text.slice(at, at + run), text.slice(at + run)];
  switch (random.below(9)) {
    case 0:
      return before + String.fromCharCode(random.below(256)) + text.slice(at + 1);
    case 1:
      return before + String.fromCharCode(random.pick(INTERESTING)) + text.slice(at + 1);
    case 2: {
      const word = Buffer.alloc(4);
      if (random.chance(0.5)) word.writeUInt32LE(random.pick(WORDS));
      else word.writeUInt32BE(random.pick(WORDS));
      return before + textOf(word) + text.slice(at + (random.chance(0.8) ? 4 : 0));
    }
    case 3:
      return before + behind;
    case 4:
      return before + inside.repeat(random.between(2, random.chance(0.1) ? 200 : 4)) + behind;
    case 5:
      return before + textOf(random.bytes(random.between(1, 16))) + behind;
    case 6: {
      const to = random.below(before.length + behind.length + 1);
      const rest = before + behind;
      return rest.slice(0, to) + inside + rest.slice(to);
    }
    case 7:
      return dictionary.length > 0
        ? before + random.pick(dictionary) + (random.chance(0.5) ? behind : inside + behind)
        : before;
    default:
      return random.chance(0.2) ? before : before + inside.split('').reverse().join('') + behind;
  }
}

/** Leaves characters out of a text, for shrinking. */
export const bySingleBytes = {
  split: (text: string): string[] => text.split(''),
  join: (parts: readonly unknown[]): string => parts.join(''),
};
