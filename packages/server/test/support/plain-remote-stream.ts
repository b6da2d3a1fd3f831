import assert from 'node:assert/strict';
import type { RawPeer } from '@sluice/testkit';
import { type Field, ProtocolFlag } from '@sluice/wire';
import { answer, request, type TestServer } from './test-server.js';

/** Lines of an answer with code 0. */
export const done = (command: string, ...lines: string[]): string[] => [`Command=${command}`, 'Code=0', ...lines];

export function openFile(fileName: string, mode: number | string = 1, extra: Field[] = []): Uint8Array {
  return request('OpenFile', [['FileName', fileName], ['Mode', mode], ...extra]);
}

/** A connection that has a file open. */
export async function opened(server: TestServer, fileName: string, mode = 1): Promise<RawPeer> {
  const peer = await server.login(ProtocolFlag.RemoteStream);
  await peer.send(openFile(fileName, mode));
  assert.deepEqual(await answer(peer), done('OpenFile'));
  return peer;
}

/** Sends a request that is refused. @returns the code; the answer has Code, Message and no data (D39) */
export async function refusal(
  peer: RawPeer,
  command: string,
  fields: Field[] = [],
  data?: Uint8Array,
): Promise<number> {
  await peer.send(request(command, fields, data));
  const packet = await peer.nextPacket();
  assert.match(
    packet.text,
    new RegExp(`^\\[Response\\]\r\nCommand=${command}\r\nCode=[1-9][0-9]*\r\nMessage=[^\r\n]*$`),
  );
  assert.equal(packet.data.length, 0);
  return Number(/Code=(\d+)/.exec(packet.text)?.[1]);
}

/** The bytes that Read returns. */
export async function read(peer: RawPeer, count: number, command = 'Read', fields: Field[] = []): Promise<Buffer> {
  await peer.send(request(command, [...fields, ['Count', count]]));
  const { text, data } = await peer.nextPacket();
  assert.equal(text, `[Response]\r\nCommand=${command}\r\nCode=0\r\nCount=${data.length}`);
  return Buffer.from(data);
}

export function write(data: Uint8Array | string, count?: number | string): Uint8Array {
  const bytes = Buffer.from(data as string);
  return request('Write', count === undefined ? [] : [['Count', count]], bytes);
}
