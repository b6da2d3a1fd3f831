import type { RawPeer } from '@sluice/testkit';
import { type Field, ProtocolFlag } from '@sluice/wire';
import { answer, request, type TestServer } from './test-server.js';

/** A connection of RemoteStream whose client knows extensions. */
export function extended(server: TestServer): Promise<RawPeer> {
  return server.login(ProtocolFlag.RemoteStream, [['Features', 'Tag,RemoteFile,ResumeFile']]);
}

export function openRequest(fileName: string, mode: number, extra: Field[] = []): Uint8Array {
  return request('OpenFile', [...extra, ['FileName', fileName], ['Mode', mode]]);
}

/** An answer by its keys, and its data. */
export interface Answer {
  readonly keys: Readonly<Record<string, string>>;
  readonly data: Buffer;
}

export async function nextAnswer(peer: RawPeer): Promise<Answer> {
  const { text, data } = await peer.nextPacket();
  const keys = Object.fromEntries(
    text
      .split('\r\n')
      .slice(1)
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  return { keys, data: Buffer.from(data) };
}

/** Sends a request and waits for the next answer. */
export async function asked(peer: RawPeer, command: string, fields: Field[] = [], data?: Uint8Array): Promise<Answer> {
  await peer.send(request(command, fields, data));
  return nextAnswer(peer);
}

/** The answers to `count` requests with tags, by their tags. */
export async function taggedAnswers(peer: RawPeer, count: number): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  for (let i = 0; i < count; i++) {
    const next = await nextAnswer(peer);
    answers.set(next.keys['Tag'] ?? '', next);
  }
  return answers;
}

/** Opens a file that is to be kept. @returns its token */
export async function openKept(
  peer: RawPeer,
  fileName: string,
  mode: number,
  keepMs = 60_000,
  extra: Field[] = [],
): Promise<string> {
  await peer.send(openRequest(fileName, mode, [...extra, ['KeepMs', keepMs]]));
  const lines = await answer(peer);
  const token = lines.find((line) => line.startsWith('ResumeToken='))?.slice(12);
  if (token === undefined) throw new Error(`not kept: ${lines.join(' ')}`);
  return token;
}
