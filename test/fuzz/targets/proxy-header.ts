import assert from 'node:assert/strict';
import { MAX_PROXY_HEADER_BYTES, type ProxyHeader, ProxyHeaderError, parseProxyHeader } from '@sluice/core';
import { bySingleBytes, bytesOf, mutateBytes, textOf } from '../byte-text.js';
import type { FuzzTarget } from '../fuzz-target.js';

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';
const GOOD = [
  'PROXY TCP4 192.0.2.7 198.51.100.1 49153 9999\r\n',
  'PROXY TCP6 2001:db8::7 2001:db8::1 49153 9999\r\n',
  'PROXY UNKNOWN\r\n',
  `${SIGNATURE}\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\xc0\x01\x27\x0f`,
  `${SIGNATURE}\x21\x21\0\x24${'\x20\x01\x0d\xb8'.padEnd(16, '\0').repeat(2)}\xc0\x01\x27\x0f`,
  `${SIGNATURE}\x20\0\0\0`,
];
const DICTIONARY = [
  'PROXY ',
  'TCP4 ',
  'TCP6 ',
  'UNKNOWN',
  '\r\n',
  SIGNATURE,
  '255.255.255.255',
  '::ffff:1.2.3.4',
  ' 65536',
  ' 00080',
  ' -1',
];

/** Any bytes are a header, its beginning, or one documented error; the same in one piece, byte by byte, and cut in two anywhere. */
export const proxyHeader: FuzzTarget<string> = {
  name: 'proxy-header',
  generate: (random) => random.pick(GOOD) + textOf(random.bytes(random.between(0, 10))),
  mutate: (input, random) => mutateBytes(input, random, DICTIONARY).slice(0, 2000),
  run(input) {
    const bytes = bytesOf(input);
    const whole = read(bytes, [bytes.length]);
    const single = read(
      bytes,
      Array.from(bytes, (_, i) => i + 1),
    );
    // A fault may show in a part before the whole has come; then the whole has it too.
    assert.deepEqual(single, whole, 'byte by byte');
    for (let cut = 1; cut < Math.min(bytes.length, MAX_PROXY_HEADER_BYTES); cut += 7)
      assert.deepEqual(read(bytes, [cut, bytes.length]), whole, `cut at ${cut}`);
    return typeof whole === 'string' ? whole : `header ${whole.ends?.source.address.includes(':')}`;
  },
  ...bySingleBytes,
};

/** What is said of the beginnings of `bytes` that end at `ends`, until one of them decides. */
function read(bytes: Buffer, ends: readonly number[]): 'unfinished' | 'refused' | ProxyHeader {
  try {
    for (const end of ends) {
      const header = parseProxyHeader(bytes.subarray(0, Math.min(end, MAX_PROXY_HEADER_BYTES)));
      if (!header) continue;
      assert.ok(header.byteLength <= end && header.byteLength <= MAX_PROXY_HEADER_BYTES);
      return header;
    }
    assert.ok(bytes.length < MAX_PROXY_HEADER_BYTES, 'a header without an end');
    return 'unfinished';
  } catch (error) {
    if (error instanceof ProxyHeaderError) return 'refused';
    throw error;
  }
}
