/** Ranges that are named in one line; the others are counted. */
const MAX_NAMED_RANGES = 8;

/** Chunks next to one another. */
export interface ChunkRange {
  readonly firstChunk: number;
  readonly lastChunk: number;
  readonly firstByte: number;
  /** Included. */
  readonly lastByte: number;
}

/** @param chunks in order @param bytes size of the larger of the files */
export function chunkRanges(chunks: readonly number[], chunkBytes: number, bytes: number): ChunkRange[] {
  const spans: [number, number][] = [];
  for (const chunk of chunks) {
    const last = spans.at(-1);
    if (last && last[1] + 1 === chunk) last[1] = chunk;
    else spans.push([chunk, chunk]);
  }
  return spans.map(([firstChunk, lastChunk]) => ({
    firstChunk,
    lastChunk,
    firstByte: firstChunk * chunkBytes,
    lastByte: Math.min(bytes, (lastChunk + 1) * chunkBytes) - 1,
  }));
}

/** `chunks 1, 3-5 (bytes 4194304-8388607, 12582912-25165823)` */
export function rangesText(ranges: readonly ChunkRange[]): string {
  const named = ranges.slice(0, MAX_NAMED_RANGES);
  const isOne = ranges.length === 1 && named[0]?.firstChunk === named[0]?.lastChunk;
  const chunks = named.map(({ firstChunk, lastChunk }) => spanText(firstChunk, lastChunk)).join(', ');
  const bytes = named.map(({ firstByte, lastByte }) => spanText(firstByte, lastByte)).join(', ');
  const rest = ranges.length - named.length;
  return `${isOne ? 'chunk' : 'chunks'} ${chunks} (bytes ${bytes})${rest > 0 ? ` and ${rest} further ranges` : ''}`;
}

function spanText(first: number, last: number): string {
  return first === last ? `${first}` : `${first}-${last}`;
}
