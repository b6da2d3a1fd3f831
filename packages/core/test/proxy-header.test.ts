import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_PROXY_HEADER_BYTES, ProxyHeaderError, parseProxyHeader } from '@sluice/core';
import { splitsInTwo } from '@sluice/testkit';
import fc from 'fast-check';

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

function line(text: string): Buffer {
  return Buffer.from(`${text}\r\n`, 'latin1');
}

function binary(versionAndCommand: number, family: number, rest: Uint8Array | readonly number[], length = rest.length) {
  return Buffer.from([...SIGNATURE, versionAndCommand, family, length >> 8, length & 255, ...rest]);
}

const V4_ENDS = [192, 0, 2, 7, 198, 51, 100, 1, 0xc0, 0x01, 0x27, 0x0f];
const V6_ENDS = [
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0xc0, 0x01, 0x27, 0x0f],
];

const v4 = { source: { address: '192.0.2.7', port: 49153 }, destination: { address: '198.51.100.1', port: 9999 } };
const v6 = { source: { address: '2001:db8::7', port: 49153 }, destination: { address: '2001:db8::1', port: 9999 } };

const GOOD: readonly (readonly [string, Buffer, typeof v4 | undefined])[] = [
  ['version 1, TCP over IPv4', line('PROXY TCP4 192.0.2.7 198.51.100.1 49153 9999'), v4],
  ['version 1, TCP over IPv6', line('PROXY TCP6 2001:DB8:0:0::7 2001:db8::1 49153 9999'), v6],
  ['version 1, UNKNOWN', line('PROXY UNKNOWN'), undefined],
  ['version 1, UNKNOWN with more', line('PROXY UNKNOWN ffff:f...f:ffff 1 65535 0'), undefined],
  ['version 1, as long as it may be', line(`PROXY UNKNOWN ${'x'.repeat(91)}`), undefined],
  ['version 2, TCP over IPv4', binary(0x21, 0x11, V4_ENDS), v4],
  ['version 2, TCP over IPv6', binary(0x21, 0x21, V6_ENDS), v6],
  ['version 2, further fields behind the addresses', binary(0x21, 0x11, [...V4_ENDS, 3, 0, 4, 1, 2, 3, 4]), v4],
  ['version 2, LOCAL', binary(0x20, 0x00, []), undefined],
  ['version 2, LOCAL with addresses, which do not count', binary(0x20, 0x11, V4_ENDS), undefined],
  ['version 2, no family', binary(0x21, 0x00, [1, 2, 3]), undefined],
  ['version 2, as long as it may be', binary(0x21, 0x11, [...V4_ENDS, ...new Array(524).fill(0)]), v4],
];

const BAD: readonly (readonly [string, Buffer])[] = [
  ['another protocol', Buffer.from([2, 0, 0, 0])],
  ['a TLS handshake', Buffer.from([0x16, 3, 1])],
  ['a line of another case', line('proxy TCP4 192.0.2.7 198.51.100.1 49153 9999')],
  ['a line that is too long', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`)],
  ['a line without end', Buffer.from(`PROXY TCP4 ${'1'.repeat(200)}`)],
  ['a line that ends with LF alone', Buffer.from('PROXY UNKNOWN\n')],
  ['a CR that no LF follows', Buffer.from('PROXY UNKNOWN\rx')],
  ['another family', line('PROXY UDP4 192.0.2.7 198.51.100.1 49153 9999')],
  ['a family of small letters', line('PROXY tcp4 192.0.2.7 198.51.100.1 49153 9999')],
  ['an address of the other family', line('PROXY TCP4 2001:db8::7 198.51.100.1 49153 9999')],
  ['an address with leading zeros', line('PROXY TCP4 192.0.02.7 198.51.100.1 49153 9999')],
  ['an address with a zone', line('PROXY TCP6 fe80::1%eth0 fe80::2 49153 9999')],
  ['a name', line('PROXY TCP4 localhost 198.51.100.1 49153 9999')],
  ['a port out of range', line('PROXY TCP4 192.0.2.7 198.51.100.1 65536 9999')],
  ['a port with a sign', line('PROXY TCP4 192.0.2.7 198.51.100.1 +1 9999')],
  ['a port with a leading zero', line('PROXY TCP4 192.0.2.7 198.51.100.1 01 9999')],
  ['a missing port', line('PROXY TCP4 192.0.2.7 198.51.100.1 49153')],
  ['two spaces', line('PROXY TCP4  192.0.2.7 198.51.100.1 49153 9999')],
  ['a word too many', line('PROXY TCP4 192.0.2.7 198.51.100.1 49153 9999 x')],
  ['a NUL', line('PROXY TCP4 192.0.2.7\0 198.51.100.1 49153 9999')],
  ['version 3', binary(0x31, 0x11, V4_ENDS)],
  ['version 2, command 2', binary(0x22, 0x11, V4_ENDS)],
  ['version 2, UDP', binary(0x21, 0x12, V4_ENDS)],
  ['version 2, a Unix socket', binary(0x21, 0x31, new Array(216).fill(1))],
  ['version 2, too short for its addresses', binary(0x21, 0x11, V4_ENDS.slice(1))],
  ['version 2, IPv6 with the addresses of IPv4', binary(0x21, 0x21, V4_ENDS)],
  ['version 2, too long', binary(0x21, 0x11, [], 537)],
  ['a signature with a wrong last byte', Buffer.from([...SIGNATURE.slice(0, 11), 0x0b])],
];

describe('PROXY header', () => {
  for (const [name, bytes, ends] of GOOD) {
    it(`is read, wherever it is cut: ${name}`, () => {
      for (const [first] of splitsInTwo(bytes)) {
        const expected = first.length < bytes.length ? undefined : { byteLength: bytes.length, ends };
        assert.deepEqual(parseProxyHeader(first), expected);
      }
    });

    it(`leaves what follows alone: ${name}`, () => {
      for (const next of ['\r\n', 'PROXY UNKNOWN\r\n', '\u0016\u0003\u0001']) {
        assert.deepEqual(parseProxyHeader(Buffer.concat([bytes, Buffer.from(next, 'latin1')])), {
          byteLength: bytes.length,
          ends,
        });
      }
    });
  }

  for (const [name, bytes] of BAD) {
    it(`is refused, and never taken for one when cut: ${name}`, () => {
      assert.throws(() => parseProxyHeader(bytes), ProxyHeaderError);
      for (let length = 0; length < bytes.length; length++) {
        try {
          assert.equal(parseProxyHeader(bytes.subarray(0, length)), undefined);
        } catch (error) {
          assert.ok(error instanceof ProxyHeaderError, String(error));
        }
      }
    });
  }

  it('is decided after its longest form, whatever comes', () => {
    const beginnings = fc.constantFrom(
      Buffer.from('PROXY '),
      Buffer.from('PROXY TCP4 '),
      Buffer.from(SIGNATURE),
      Buffer.alloc(0),
    );
    fc.assert(
      fc.property(
        beginnings,
        fc.uint8Array({ minLength: MAX_PROXY_HEADER_BYTES, maxLength: 700 }),
        (beginning, rest) => {
          try {
            const header = parseProxyHeader(Buffer.concat([beginning, rest]));
            assert.ok(header, 'still undecided');
            assert.ok(header.byteLength <= MAX_PROXY_HEADER_BYTES);
          } catch (error) {
            assert.ok(error instanceof ProxyHeaderError, String(error));
          }
        },
      ),
    );
  });

  it('tells the ends that a balancer has written, in both versions', () => {
    const port = fc.integer({ min: 0, max: 65_535 });
    const ends = [fc.ipV4(), fc.ipV4(), port, port] as const;
    fc.assert(
      fc.property(...ends, (source, destination, sourcePort, destinationPort) => {
        const expected = {
          source: { address: source, port: sourcePort },
          destination: { address: destination, port: destinationPort },
        };
        const text = line(`PROXY TCP4 ${source} ${destination} ${sourcePort} ${destinationPort}`);
        const parts = `${source}.${destination}`.split('.').map(Number);
        const ports = [sourcePort >> 8, sourcePort & 255, destinationPort >> 8, destinationPort & 255];
        assert.deepEqual(parseProxyHeader(text)?.ends, expected);
        assert.deepEqual(parseProxyHeader(binary(0x21, 0x11, [...parts, ...ports]))?.ends, expected);
      }),
    );
  });
});
