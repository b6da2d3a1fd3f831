import { setTimeout as pause } from 'node:timers/promises';
import {
  dataRequestText,
  decodeBegunUpload,
  encodeBeginUploadRequest,
  encodeDownloadRequest,
  encodeFileListRequest,
  encodeFollowLogRequest,
  encodeOpenFileRequest,
  encodePacket,
  encodePlaceDataRequest,
  encodePutFilesRequest,
  encodeReadRequest,
  FileMode,
  MAX_PACKET_LENGTH,
  MAX_READ_BYTES,
  PACKET_HEAD_BYTES,
  ProtocolFlag,
  requestText,
  writePacketHead,
} from '@sluice/wire';
import { AttackingPeer } from './attacking-peer.js';

/** The file that is read, and the directory with a large listing, in the root that is attacked. */
export const LARGE_FILE = 'large.bin';
export const LARGE_DIRECTORY = 'many';

/** One way to make a server hold memory: sets it up on one connection, and does not end before that is done. */
export type Attack = (port: number, number: number) => Promise<AttackingPeer>;

const HEAD = packetHead();

/** A packet of 10 MiB that takes data; its head and text. */
function packetHead(): Uint8Array {
  const text = encodePutFilesRequest({ dirName: '' });
  const head = new Uint8Array(PACKET_HEAD_BYTES + text.length);
  writePacketHead(head, 0, text.length, MAX_PACKET_LENGTH - 4 - text.length - 4);
  head.set(text, PACKET_HEAD_BYTES);
  return head;
}

/** Declares a packet of 10 MiB, and is silent. */
export const declareAndBeSilent: Attack = async (port) => {
  const peer = await AttackingPeer.connectLoggedIn(port, ProtocolFlag.Upload);
  peer.socket.write(HEAD);
  return peer;
};

const PIECE = Buffer.alloc(64 << 10, 7);

/** Declares a packet of 10 MiB, sends the half of it over some seconds, and is silent. */
export const sendHalf: Attack = async (port) => {
  const peer = await AttackingPeer.connectLoggedIn(port, ProtocolFlag.Upload);
  peer.socket.write(HEAD);
  void sendSlowly(peer);
  return peer;
};

async function sendSlowly(peer: AttackingPeer): Promise<void> {
  for (let sent = 0; sent < 5 << 20 && !peer.isClosed; sent += PIECE.length) {
    if (!peer.socket.write(PIECE)) {
      await new Promise<void>((resolve) => {
        peer.socket.once('drain', resolve);
        peer.socket.once('close', resolve);
      });
    }
    await pause(100);
  }
}

/** Asks for a large listing again and again, and reads nothing. */
export const neverReadListings: Attack = async (port) => {
  const peer = await AttackingPeer.connectLoggedIn(port, ProtocolFlag.Download);
  peer.stopReading();
  for (let i = 0; i < 4; i++) peer.request(encodeFileListRequest(LARGE_DIRECTORY));
  return peer;
};

/** Asks for 10 MiB of a remote file again and again, and reads nothing. */
export const neverReadRemoteFile: Attack = async (port) => {
  const peer = await AttackingPeer.connectLoggedIn(port, ProtocolFlag.RemoteStream);
  await peer.ask(encodeOpenFileRequest({ fileName: LARGE_FILE, mode: FileMode.Read }));
  peer.stopReading();
  for (let i = 0; i < 4; i++) peer.request(encodeReadRequest(MAX_READ_BYTES));
  return peer;
};

/** Asks for a file, and reads nothing of it. */
export const neverReadDownload: Attack = async (port) => {
  const peer = await AttackingPeer.connectLoggedIn(port, ProtocolFlag.Download);
  peer.stopReading();
  peer.request(encodeDownloadRequest({ dirName: '', fileName: LARGE_FILE, fileSize: 0n, packetSize: 262_144n }));
  return peer;
};

/** All three in turn. */
export const neverRead: Attack = (port, number) =>
  [neverReadListings, neverReadRemoteFile, neverReadDownload][number % 3]!(port, number);

const CHUNK_BYTES = 4 << 20;
const DATA = encodePacket(dataRequestText(), Buffer.alloc(256 << 10, 3));

/** Begins an upload; `sendUpload` goes on with it. */
export const upload: Attack = async (port, number) => {
  const peer = await AttackingPeer.connectLoggedIn(port, ProtocolFlag.Upload);
  const begun = decodeBegunUpload(
    await peer.ask(encodeBeginUploadRequest({ dirName: '', fileName: `upload-${number}`, fileSize: 64 << 20 })),
  );
  if (begun.uploadId === undefined) throw new Error('the upload was not begun');
  peer.request(encodePlaceDataRequest(0));
  return peer;
};

/** Sends the first chunk of an upload, as fast as the server takes it. */
export async function sendUpload(peer: AttackingPeer): Promise<void> {
  for (let sent = 0; sent < CHUNK_BYTES && !peer.isClosed; sent += 256 << 10) {
    if (peer.socket.write(DATA)) continue;
    await new Promise<void>((resolve) => {
      peer.socket.once('drain', resolve);
      peer.socket.once('close', resolve);
    });
  }
}

/** Follows the log in one of the two ways, and reads nothing of it. */
export const followLog: Attack = async (port, number) => {
  if (number % 2 === 0) {
    const peer = await AttackingPeer.connect(port, ProtocolFlag.LogOutput);
    peer.socket.write('\t');
    peer.stopReading();
    return peer;
  }
  const peer = await AttackingPeer.connectLoggedIn(port, ProtocolFlag.Control);
  peer.request(encodeFollowLogRequest({ level: 'debug' }));
  peer.stopReading();
  return peer;
};

/**
 * Makes the server write as many lines of its log as it can, for some time: connections that come, are answered, and go; each has two lines.
 * Those who do not wait for their answer fill the system's queue of connections instead, and make no more lines: that is `sluice chaos attack --suite storm`.
 */
export async function floodLog(port: number, ms: number): Promise<void> {
  const endMs = performance.now() + ms;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (performance.now() < endMs) {
        const peer = await AttackingPeer.connect(port, ProtocolFlag.Download);
        await peer.ask(requestText(`Nothing-${'x'.repeat(300)}`, [])).catch(() => {}); // ended: the next one
        peer.destroy();
      }
    }),
  );
}
