import type { Dialect } from './dialect.js';

const EMPTY_LINE = Buffer.from('\r\n');

/**
 * For a protocol that nobody knows: lengths as most begin with, of 32 bits in either order, and of 16 bits.
 *
 * @param request what a client sends, if the user has told; an empty line ends many
 */
export function rawDialect(request = EMPTY_LINE): Dialect {
  const behind = Buffer.from('aaaaaaaaaaaaaaaa');
  return {
    preamble: Buffer.alloc(0),
    opening: request.subarray(0, Math.max(0, request.length - 1)),
    filler: Buffer.from('a'),
    hugePrefixes: [
      Buffer.concat([Buffer.of(0x7f, 0xff, 0xff, 0xff), behind]),
      Buffer.concat([Buffer.of(0xff, 0xff, 0xff, 0x7f), behind]),
      Buffer.concat([Buffer.of(0xff, 0xff), behind]),
    ],
    request,
  };
}
