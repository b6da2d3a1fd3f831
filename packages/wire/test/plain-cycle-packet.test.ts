import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  commandTextEnd,
  decodeCommandText,
  decodeCyclePacketRequest,
  encodeCyclePacketRequest,
  encodeCyclePacketResponse,
  encodePacket,
  fitsPlainCyclePacket,
  isPlainCyclePacketRequest,
  MAX_PACKET_LENGTH,
  plainCyclePacketResponseBytes,
  requestText,
  writePlainCyclePacketResponse,
} from '@sluice/wire';
import fc from 'fast-check';

const dataBytes = fc.uint8Array({ maxLength: 300 });
const place = fc.nat({ max: 20 });

describe('a CyclePacket request in the usual form', () => {
  it('is answered with the bytes that the general way answers with, wherever it and its answer lie', () => {
    const count = fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 999_999_999 }), fc.constantFrom(9, 99, 999_999_999));
    fc.assert(
      fc.property(count, dataBytes, place, place, (count, data, before, at) => {
        const request = encodePacket(encodeCyclePacketRequest(count), data);
        const source = new Uint8Array(before + request.length + 5).fill(0x39);
        source.set(request, before);
        const textEnd = commandTextEnd(source, before, request.length);
        const end = before + request.length;
        assert.ok(isPlainCyclePacketRequest(source, before + 8, textEnd));

        const target = new Uint8Array(at + plainCyclePacketResponseBytes(data.length)).fill(0xaa);
        const written = writePlainCyclePacketResponse(target, at, source, before + 8, textEnd, end);
        assert.deepEqual(
          target.subarray(at, at + written),
          encodePacket(encodeCyclePacketResponse('CyclePacket', count), data),
        );
        assert.ok(target.subarray(0, at).every((byte) => byte === 0xaa));
        assert.ok(target.subarray(at + written).every((byte) => byte === 0xaa));
      }),
    );
  });

  it('is one only byte for byte: what is written in any other way is left to the general way', () => {
    const usual = encodeCyclePacketRequest(123);
    fc.assert(
      fc.property(fc.nat({ max: usual.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = usual.slice();
        other[at] = other[at]! ^ change;
        if (!isPlainCyclePacketRequest(other, 0, other.length)) return;
        assert.equal(decodeCyclePacketRequest(decodeCommandText(other, 0, other.length)), Number(`${digits(other)}`));
      }),
    );
    const others = ['', ' 1', '-1', '+1', '1\r\n', '1\r\nCount=2', '1234567890', '99999999999'];
    for (const count of others) {
      const text = Buffer.from(`[Request]\r\nCommand=CyclePacket\r\nCount=${count}`);
      assert.equal(isPlainCyclePacketRequest(text, 0, text.length), false, JSON.stringify(count));
    }
    const named = requestText('cyclepacket', [['Count', 1]]);
    assert.equal(isPlainCyclePacketRequest(named, 0, named.length), false);
  });

  it('leaves to the general way what has no answer of a legal size', () => {
    assert.ok(fitsPlainCyclePacket(1 << 20));
    assert.equal(fitsPlainCyclePacket(MAX_PACKET_LENGTH - 40), false);
  });
});

function digits(text: Uint8Array): string {
  return Buffer.from(text.subarray(text.lastIndexOf('='.charCodeAt(0)) + 1)).toString('latin1');
}
