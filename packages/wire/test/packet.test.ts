import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LengthFieldDecoder } from '@sluice/framing';
import {
  type ByteOrder,
  commandTextEnd,
  encodePacket,
  MAX_PACKET_LENGTH,
  MAX_SENT_PACKET_LENGTH,
  packetLayout,
  writePacketHead,
} from '@sluice/wire';
import fc from 'fast-check';

/** What becomes of a connection that begins with these 8 bytes. */
function fateOf(bytes: Uint8Array, byteOrder: ByteOrder = 'little'): 'accepted' | string {
  const decoder = new LengthFieldDecoder(packetLayout(byteOrder), {
    onFrame(source, start, end) {
      commandTextEnd(source, start, end - start, byteOrder);
      return true;
    },
    onBegun(source, start, end, frameLength) {
      if (end - start >= 8) commandTextEnd(source, start, frameLength, byteOrder);
      return false;
    },
  });
  try {
    decoder.push(bytes, 0, bytes.length);
    return 'accepted';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

function head(packetLength: number, commandLength: number, byteOrder: ByteOrder = 'little'): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setInt32(0, packetLength, byteOrder === 'little');
  bytes.setInt32(4, commandLength, byteOrder === 'little');
  return new Uint8Array(bytes.buffer);
}

describe('packet, specification 2.3 and the second table of 16.2', () => {
  for (const byteOrder of ['little', 'big'] as const) {
    it(`closes on packet lengths below 4 as soon as the field is complete, ${byteOrder}-endian`, () => {
      for (const length of [0, 1, 2, 3]) {
        assert.equal(fateOf(head(length, 0, byteOrder).subarray(0, 4), byteOrder), 'ERR_FRAME_TOO_SMALL');
        assert.equal(fateOf(head(length, 0, byteOrder).subarray(0, 3), byteOrder), 'accepted');
      }
    });

    it(`closes on packet lengths that are negative or too large, ${byteOrder}-endian`, () => {
      for (const length of [-5, -1, -2147483648, 10_485_761, 2147483647]) {
        assert.equal(fateOf(head(length, 0, byteOrder).subarray(0, 4), byteOrder), 'ERR_FRAME_TOO_LARGE');
      }
    });

    it(`accepts packet lengths up to 10 MiB, ${byteOrder}-endian`, () => {
      for (const length of [4, 100, 10_485_756, 10_485_760]) {
        assert.equal(fateOf(head(length, 0, byteOrder), byteOrder), 'accepted');
      }
    });

    it(`closes on command lengths outside the packet (D18), ${byteOrder}-endian`, () => {
      for (const [length, command] of [
        [100, -1],
        [100, 97],
        [100, 2147483647],
        [100, -2147483648],
        [4, 1],
      ] as const) {
        assert.equal(fateOf(head(length, command, byteOrder), byteOrder), 'ERR_COMMAND_LENGTH');
      }
      for (const command of [0, 1, 96]) assert.equal(fateOf(head(100, command, byteOrder), byteOrder), 'accepted');
    });
  }

  it('has the bytes of the table in the specification', () => {
    assert.equal(fateOf(Buffer.from('00000000', 'hex')), 'ERR_FRAME_TOO_SMALL');
    assert.equal(fateOf(Buffer.from('fbffffff', 'hex')), 'ERR_FRAME_TOO_LARGE');
    assert.equal(fateOf(Buffer.from('0100a000', 'hex')), 'ERR_FRAME_TOO_LARGE');
    assert.equal(fateOf(Buffer.from('fcff9f0000000000', 'hex')), 'accepted');
    assert.equal(MAX_PACKET_LENGTH, 10_485_760);
    assert.equal(MAX_SENT_PACKET_LENGTH, 10_485_756);
  });

  it('checks the declared length only, not what follows the packet (D14)', () => {
    const packet = encodePacket(new Uint8Array(10_485_752));
    assert.equal(packet.length, 10_485_760);
    assert.equal(fateOf(Buffer.concat([packet, packet])), 'accepted');
  });

  it('sends no packet that an original peer would refuse', () => {
    const tooLarge = { name: 'ProtocolError', code: 'ERR_PACKET_TOO_LARGE' };
    assert.doesNotThrow(() => writePacketHead(new Uint8Array(8), 0, 52, MAX_SENT_PACKET_LENGTH - 56));
    assert.throws(() => writePacketHead(new Uint8Array(8), 0, 52, MAX_SENT_PACKET_LENGTH - 55), tooLarge);
    assert.throws(() => encodePacket(new Uint8Array(10), new Uint8Array(MAX_SENT_PACKET_LENGTH)), tooLarge);
  });

  it('comes out as it went in, for any text, data and byte order', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
        fc.constantFrom<ByteOrder>('little', 'big'),
        fc.nat(10),
        (text, data, byteOrder, offset) => {
          const packet = encodePacket(text, data, byteOrder);
          const source = Buffer.concat([new Uint8Array(offset), packet]);
          const textEnd = commandTextEnd(source, offset, packet.length, byteOrder);
          assert.deepEqual(Uint8Array.from(source.subarray(offset + 8, textEnd)), text);
          assert.deepEqual(Uint8Array.from(source.subarray(textEnd)), data ?? new Uint8Array(0));
          const view = new DataView(packet.buffer);
          assert.equal(view.getUint32(0, byteOrder === 'little'), packet.length - 4);
          assert.equal(view.getUint32(4, byteOrder === 'little'), text.length);
        },
      ),
    );
  });
});
