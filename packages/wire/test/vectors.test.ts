import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { LengthFieldDecoder } from '@sluice/framing';
import { splitEvery } from '@sluice/testkit';
import {
  type ByteOrder,
  Command,
  type CommandText,
  commandTextEnd,
  DataSlab,
  dataRequestText,
  dataResponseText,
  decodeCommandText,
  decodeCyclePacketRequest,
  decodeDownloadRequest,
  decodeEofRequest,
  decodeFileListResponse,
  decodeLoginRequest,
  decodeResponse,
  decodeUploadRequest,
  encodeCountResponse,
  encodeCyclePacketRequest,
  encodeCyclePacketResponse,
  encodeDownloadRequest,
  encodeEofRequest,
  encodeEofResponse,
  encodeFileListResponse,
  encodeLoginRequest,
  encodePacket,
  encodeSendFile,
  encodeUploadRequest,
  encodeUploadResponse,
  encodeWelcome,
  Key,
  PACKET_HEAD_BYTES,
  packetLayout,
  ResultCode,
  requestText,
  responseInteger,
  responseText,
} from '@sluice/wire';

interface Vector {
  readonly name: string;
  readonly bytes: number;
  readonly packetLength: number;
  readonly commandLength: number;
  readonly byteOrder: ByteOrder;
  readonly hex: string;
}

const file = new URL('../../../packages/wire/test/vectors.json', import.meta.url);
const vectors = new Map((JSON.parse(readFileSync(file, 'utf8')) as Vector[]).map((vector) => [vector.name, vector]));

interface Packet {
  readonly text: CommandText;
  readonly textBytes: Uint8Array;
  readonly data: Uint8Array;
}

/** Cuts one packet out of bytes that come `size` at a time. */
function decode(bytes: Uint8Array, byteOrder: ByteOrder, size = bytes.length): Packet {
  const packets: Packet[] = [];
  const decoder = new LengthFieldDecoder(packetLayout(byteOrder), {
    onFrame(source, start, end) {
      const textStart = start + PACKET_HEAD_BYTES;
      const textEnd = commandTextEnd(source, start, end - start, byteOrder);
      packets.push({
        text: decodeCommandText(source, textStart, textEnd),
        textBytes: source.slice(textStart, textEnd),
        data: source.slice(textEnd, end),
      });
      return true;
    },
  });
  for (const part of splitEvery(bytes, size)) decoder.push(part, 0, part.length);
  assert.equal(decoder.isMidFrame, false);
  assert.equal(packets.length, 1);
  return packets[0]!;
}

const noExtensions = { features: undefined };

/** For each example: what it says, decoded, and the same said again. Text alone, or text and data. */
const meanings: Readonly<Record<string, (packet: Packet) => Uint8Array | [text: Uint8Array, data: Uint8Array]>> = {
  'Active request': ({ text }) => {
    assert.equal(text.command, Command.Active);
    return requestText(Command.Active);
  },
  'Active response': ({ text }) => {
    const { command, code } = decodeResponse(text);
    assert.equal(code, ResultCode.Success);
    return encodeWelcome(command, undefined);
  },
  'Login request (user admin, password admin)': ({ text }) => {
    const request = decodeLoginRequest(text);
    assert.deepEqual(request, {
      userName: 'admin',
      passwordDigest: '21232f297a57a5a743894a0e4a801fc3',
      ...noExtensions,
    });
    return encodeLoginRequest(request);
  },
  'Login accepted': ({ text }) => {
    const { command, code } = decodeResponse(text);
    assert.deepEqual([command, code], ['Login', ResultCode.Success]);
    return encodeWelcome(command, undefined);
  },
  'Login refused': refusal('Login', ResultCode.UserOrPasswordError),
  'GetClients before login, refused': refusal('GetClients', ResultCode.NotLoggedIn),
  'Dir of a missing directory': refusal('Dir', ResultCode.DirNotExist),
  'FileList response with one UTF-8 file name': ({ text }) => {
    const response = decodeResponse(text);
    const files = decodeFileListResponse(response);
    assert.deepEqual(files, [{ name: '数据.txt', size: 5n }]);
    return encodeFileListResponse(response.command, files);
  },
  'Upload request': ({ text }) => {
    const request = decodeUploadRequest(text);
    assert.deepEqual(request, { dirName: '', fileName: 'u.bin', resume: undefined });
    return encodeUploadRequest(request);
  },
  'Upload response, new file': uploadResponse(0n),
  'Upload response, resume at 4': uploadResponse(4n),
  'Data request, payload de ad be ef': ({ text, data }) => {
    assert.equal(text.command, Command.Data);
    assert.equal(hex(data), 'deadbeef');
    return [dataRequestText(), data];
  },
  'Eof request (C# client form)': ({ text }) => {
    assert.equal(text.command, Command.Eof);
    const size = decodeEofRequest(text);
    assert.equal(size, undefined);
    return encodeEofRequest(size);
  },
  'Eof request (form with size)': ({ text }) => {
    const size = decodeEofRequest(text);
    assert.equal(size, 4n);
    return encodeEofRequest(size);
  },
  'Eof response': ({ text }) => {
    const { command, code } = decodeResponse(text);
    assert.equal(code, ResultCode.Success);
    return encodeEofResponse(command, undefined);
  },
  'Download request, from 0, 3 bytes a packet': ({ text }) => {
    const request = decodeDownloadRequest(text);
    assert.deepEqual(request, { dirName: '', fileName: 'u.bin', fileSize: 0n, packetSize: 3n });
    return encodeDownloadRequest(request);
  },
  'Download response': ({ text }) => {
    const { command, code } = decodeResponse(text);
    assert.deepEqual([command, code], ['Download', ResultCode.Success]);
    return responseText(command, code);
  },
  'SendFile announcement': ({ text }) => {
    const response = decodeResponse(text);
    assert.equal(response.command, Command.SendFile);
    assert.equal(responseInteger(response, Key.FileSize), 4n);
    return encodeSendFile(4n);
  },
  'first Data packet': dataResponse('deadbe'),
  'second Data packet': dataResponse('ef'),
  'CyclePacket request': ({ text, data }) => {
    assert.equal(text.command, 'CyclePacket');
    assert.equal(hex(data), '01010101');
    return [encodeCyclePacketRequest(decodeCyclePacketRequest(text)), data];
  },
  'CyclePacket response': ({ text, data }) => {
    const response = decodeResponse(text);
    assert.equal(hex(data), '01010101');
    assert.equal(responseInteger(response, Key.Count), 2n);
    return [encodeCyclePacketResponse(response.command, 1), data];
  },
  'RemoteStream Read response, 4 bytes': ({ text, data }) => {
    const response = decodeResponse(text);
    assert.equal(response.command, 'Read');
    assert.equal(hex(data), 'deadbeef');
    return [encodeCountResponse(response.command, Number(responseInteger(response, Key.Count))), data];
  },
  // The Delphi forms are read, never written: their line ends are the only difference.
  'Delphi client Active request': ({ text, textBytes }) => {
    assert.equal(text.command, Command.Active);
    return withCrlf(requestText(Command.Active), 1, textBytes);
  },
  'Delphi client Data request': ({ text, textBytes, data }) => {
    assert.equal(text.command, Command.Data);
    assert.equal(hex(data), 'deadbeef');
    return [withCrlf(dataRequestText(), 2, textBytes), data];
  },
  'Active request, both lengths big-endian': ({ text }) => {
    assert.equal(text.command, Command.Active);
    return requestText(Command.Active);
  },
};

function refusal(command: string, code: number) {
  return ({ text }: Packet): Uint8Array => {
    const response = decodeResponse(text);
    assert.deepEqual([response.command, response.code, response.message], [command, code, '']);
    return responseText(response.command, response.code);
  };
}

function uploadResponse(size: bigint) {
  return ({ text }: Packet): Uint8Array => {
    const response = decodeResponse(text);
    assert.equal(responseInteger(response, Key.FileSize), size);
    return encodeUploadResponse(response.command, size);
  };
}

function dataResponse(content: string) {
  return ({ text, data }: Packet): [Uint8Array, Uint8Array] => {
    const response = decodeResponse(text);
    assert.deepEqual([response.command, response.code], [Command.Data, ResultCode.Success]);
    assert.equal(hex(data), content);
    return [dataResponseText(), data];
  };
}

function withCrlf(text: Uint8Array, times: number, seen: Uint8Array): Uint8Array {
  assert.equal(Buffer.from(seen).toString().endsWith('\r\n'), true);
  return Buffer.concat([text, Buffer.from('\r\n'.repeat(times))]);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

describe('examples of the specification, section 16', () => {
  it('are 26, and each has its meaning here', () => {
    assert.equal(vectors.size, 26);
    assert.deepEqual([...vectors.keys()].sort(), Object.keys(meanings).sort());
  });

  for (const [name, meaning] of Object.entries(meanings)) {
    const vector = vectors.get(name)!;
    const bytes = Buffer.from(vector.hex, 'hex');

    it(`${name}: decodes, and encodes to the same bytes`, () => {
      assert.equal(bytes.length, vector.bytes);
      assert.equal(vector.packetLength, bytes.length - 4);
      const packet = decode(bytes, vector.byteOrder);
      assert.equal(packet.textBytes.length, vector.commandLength);
      const again = meaning(packet);
      const [text, data] = Array.isArray(again) ? again : [again, undefined];
      if (!data) assert.equal(packet.data.length, 0);
      assert.equal(hex(encodePacket(text, data, vector.byteOrder)), vector.hex);
    });

    it(`${name}: decodes byte by byte`, () => {
      meaning(decode(bytes, vector.byteOrder, 1));
    });
  }

  it('are the same packets in big-endian, in both fields and both directions (D17)', () => {
    for (const { hex: expected, byteOrder } of vectors.values()) {
      const other = byteOrder === 'little' ? 'big' : 'little';
      const packet = decode(Buffer.from(expected, 'hex'), byteOrder);
      const swapped = encodePacket(packet.textBytes, packet.data, other);
      const head = Buffer.from(expected, 'hex').subarray(0, 8);
      assert.deepEqual(
        Buffer.from(swapped.subarray(0, 8)),
        Buffer.concat([head.subarray(0, 4).reverse(), head.subarray(4).reverse()]),
      );
      const back = decode(swapped, other);
      assert.equal(hex(encodePacket(back.textBytes, back.data, byteOrder)), expected);
    }
  });

  it('the two Data packets of the download come out of one slab', () => {
    const slab = new DataSlab(new Uint8Array(100), dataResponseText(), 3);
    const content = Buffer.from('deadbeef', 'hex');
    let at = 0;
    for (const gap of slab.gapsFor(4)) at += content.copy(gap, 0, at);
    const expected = ['first Data packet', 'second Data packet'].map((name) => vectors.get(name)?.hex).join('');
    assert.equal(hex(slab.packets(4)), expected);
  });
});
