/** The bytes in chunks of `size`, the last one shorter. Each chunk is a copy, so that a decoder that keeps views is found out. */
export function* splitEvery(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield Uint8Array.from(bytes.subarray(at, at + size));
}

/** The bytes cut in two at every place, the empty halves included. */
export function* splitsInTwo(bytes: Uint8Array): Generator<[Uint8Array, Uint8Array]> {
  for (let at = 0; at <= bytes.length; at++) {
    yield [Uint8Array.from(bytes.subarray(0, at)), Uint8Array.from(bytes.subarray(at))];
  }
}
