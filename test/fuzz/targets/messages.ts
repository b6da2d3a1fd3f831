import assert from 'node:assert/strict';
import * as wire from '@sluice/wire';
import { bytesOf, mutateBytes, textOf } from '../byte-text.js';
import type { FuzzTarget } from '../fuzz-target.js';
import { encodeMessage, type Message, mutateMessage, randomMessage } from './random-message.js';

/** A codec of `wire`: what it reads out of a request or response, and how that is written again, if it can be. */
interface Codec {
  readonly decode: (text: wire.CommandText, data: Uint8Array) => unknown;
  // biome-ignore lint/suspicious/noExplicitAny: each takes what its decoder has given
  readonly encode?: (value: any) => Uint8Array;
}

/** Of requests; and of responses whose codec takes a `Response`. */
const CODECS: Readonly<Record<string, Codec>> = {
  BeginUpload: { decode: wire.decodeBeginUploadRequest, encode: wire.encodeBeginUploadRequest },
  ChunkRange: {
    decode: wire.decodeChunkRangeRequest,
    encode: (range) => wire.encodeChunkRangeRequest('UploadChunks', range),
  },
  CommitUpload: { decode: wire.decodeCommitUploadRequest, encode: wire.encodeCommitUploadRequest },
  CyclePacket: { decode: wire.decodeCyclePacketRequest, encode: wire.encodeCyclePacketRequest },
  DeleteFile: { decode: wire.decodeDeleteFileRequest, encode: wire.encodeDeleteFileRequest },
  Digest: { decode: wire.decodeDigestRequest },
  Dir: { decode: wire.decodeDirRequest, encode: wire.encodeDirRequest },
  Directory: {
    decode: wire.decodeDirectoryRequest,
    encode: (request) => wire.encodeDirectoryRequest('CreateDir', request),
  },
  Download: { decode: wire.decodeDownloadRequest, encode: wire.encodeDownloadRequest },
  DownloadRange: { decode: wire.decodeDownloadRange },
  Drain: { decode: wire.decodeDrainRequest, encode: wire.encodeDrainRequest },
  EndChunk: { decode: wire.decodeEndChunkRequest, encode: wire.encodeEndChunkRequest },
  Eof: { decode: wire.decodeEofRequest, encode: wire.encodeEofRequest },
  Features: { decode: wire.decodeFeatures },
  FileExists: { decode: wire.decodeFileExistsRequest, encode: wire.encodeFileExistsRequest },
  FileList: { decode: wire.decodeFileListRequest, encode: wire.encodeFileListRequest },
  Flood: { decode: wire.decodeFloodRequest, encode: wire.encodeFloodRequest },
  FollowLog: { decode: wire.decodeFollowLogRequest },
  GetFiles: { decode: wire.decodeGetFilesRequest, encode: wire.encodeGetFilesRequest },
  GetFilesTable: { decode: (_, data) => wire.decodeGetFilesTable(data) },
  Handle: { decode: wire.decodeHandle },
  Kick: { decode: wire.decodeKickRequest, encode: wire.encodeKickRequest },
  ListClients: { decode: wire.decodeListClientsRequest, encode: wire.encodeListClientsRequest },
  ListTree: { decode: wire.decodeListTreeRequest, encode: wire.encodeListTreeRequest },
  ListUsers: { decode: wire.decodeListUsersRequest, encode: wire.encodeListUsersRequest },
  LogLevel: {
    decode: (text) => wire.decodeLogLevelRequest(text, ['error', 'debug']),
    encode: wire.encodeLogLevelRequest,
  },
  Login: { decode: wire.decodeLoginRequest, encode: wire.encodeLoginRequest },
  OpenFile: { decode: wire.decodeOpenFileRequest, encode: wire.encodeOpenFileRequest },
  PlaceData: { decode: wire.decodePlaceDataRequest, encode: wire.encodePlaceDataRequest },
  PutFiles: { decode: wire.decodePutFilesRequest, encode: wire.encodePutFilesRequest },
  PutFilesTable: { decode: (_, data) => wire.decodePutFilesTable(data) },
  Read: { decode: wire.decodeReadRequest, encode: wire.encodeReadRequest },
  ReadAt: { decode: wire.decodeReadAtRequest, encode: wire.encodeReadAtRequest },
  ReadOnly: { decode: wire.decodeReadOnlyRequest, encode: wire.encodeReadOnlyRequest },
  RemoveUser: { decode: wire.decodeRemoveUserRequest, encode: wire.encodeRemoveUserRequest },
  Rename: { decode: wire.decodeRenameRequest, encode: wire.encodeRenameRequest },
  ResumeFile: { decode: wire.decodeResumeFileRequest, encode: wire.encodeResumeFileRequest },
  SaslLogin: { decode: wire.decodeSaslLoginRequest },
  SetUser: { decode: wire.decodeSetUserRequest, encode: wire.encodeSetUserRequest },
  Seek: { decode: wire.decodeSeekRequest, encode: wire.encodeSeekRequest },
  SetPosition: { decode: wire.decodeSetPositionRequest, encode: wire.encodeSetPositionRequest },
  SetSize: { decode: wire.decodeSetSizeRequest, encode: wire.encodeSetSizeRequest },
  Stat: { decode: wire.decodeStatRequest, encode: wire.encodeStatRequest },
  StatFile: { decode: wire.decodeStatFileRequest, encode: wire.encodeStatFileRequest },
  Tag: { decode: wire.decodeTag },
  Upload: { decode: wire.decodeUploadRequest, encode: wire.encodeUploadRequest },
  UploadId: { decode: wire.decodeUploadIdRequest, encode: (id) => wire.encodeUploadIdRequest('AbortUpload', id) },
  VerifyFile: { decode: wire.decodeVerifyFileRequest, encode: wire.encodeVerifyFileRequest },
  WatchClients: { decode: wire.decodeWatchClientsRequest, encode: wire.encodeWatchClientsRequest },
  WriteAt: { decode: wire.decodeWriteAtRequest },
  BegunUploadAnswer: ofResponse(wire.decodeBegunUpload),
  ClientChangesAnswer: ofResponse((_, data) => wire.decodeClientChanges(data)),
  ClientRecordsAnswer: ofResponse((_, data) => wire.decodeClientRecords(data)),
  CommittedUploadAnswer: ofResponse(wire.decodeCommittedUpload),
  ChunkEntriesAnswer: ofResponse((_, data) => wire.decodeChunkEntries(data)),
  DirAnswer: ofResponse(wire.decodeDirResponse),
  FetchedTableAnswer: ofResponse((response, data) =>
    wire.decodeFetchedTable(data, Number(response.text.first('Count') ?? 0)),
  ),
  FileListAnswer: ofResponse(wire.decodeFileListResponse),
  FileVersionAnswer: ofResponse(wire.decodeFileVersion),
  FloodAnswer: ofResponse(wire.decodeFloodResponse),
  FloodReportAnswer: ofResponse(wire.decodeFloodReport),
  GetClientsAnswer: ofResponse(wire.decodeGetClientsResponse),
  ListTreeAnswer: ofResponse(wire.decodeListTreeResponse),
  LogLinesAnswer: ofResponse((response, data) => wire.decodeLogLines(response, textOf(data))),
  OpenFileAnswer: ofResponse(wire.decodeOpenFileResponse),
  PutFilesAnswer: ofResponse((_, data) => wire.decodePutFilesResult(_ as never, data, 1, 2)),
  ResumeFileAnswer: ofResponse(wire.decodeResumeFileResponse),
  StatAnswer: ofResponse(wire.decodeStatResponse),
  StatFileAnswer: ofResponse(wire.decodeStatFileResponse),
  VerifyFileAnswer: ofResponse(wire.decodeVerifyFileResponse),
  ScramClientFirst: { decode: (text) => wire.decodeScramClientFirst(text.first('Sasl') ?? '') },
  ScramClientFinal: { decode: (text) => wire.decodeScramClientFinal(text.first('Sasl') ?? '') },
  ScramServerFirst: { decode: (text) => wire.decodeScramServerFirst(text.first('Sasl') ?? '') },
  ScramServerFinal: { decode: (text) => wire.decodeScramServerFinal(text.first('Sasl') ?? '') },
  LogCursor: { decode: (text) => wire.decodeLogCursor(text.first('Cursor') ?? '') },
};

const NAMES = Object.keys(CODECS);

interface MessagesInput {
  readonly codec: string;
  readonly message: Message;
}

/** Every codec reads any text, or says by its documented error that it cannot; what it has read it writes and reads again; nothing grows beyond the bytes that came. */
export const messages: FuzzTarget<MessagesInput> = {
  name: 'messages',
  generate: (random) => ({ codec: random.pick(NAMES), message: randomMessage(random) }),
  mutate: ({ codec, message }, random) =>
    random.chance(0.1)
      ? { codec: random.pick(NAMES), message }
      : {
          codec,
          message: random.chance(0.1)
            ? { ...message, data: mutateBytes(message.data, random) }
            : mutateMessage(message, random),
        },
  run({ codec: name, message }) {
    const packet = encodeMessage({ command: message.command, fields: message.fields, data: '' });
    const data = bytesOf(message.data);
    const codec = CODECS[name]!;
    try {
      const text = wire.decodeCommandText(packet, 8, packet.length);
      const value = codec.decode(text, data);
      const bytes = packet.length + data.length;
      assert.ok(sizeOf(value) <= 50 * bytes + 5000, `${sizeOf(value)} of ${bytes} bytes`);
      if (codec.encode && value !== undefined) {
        const again = codec.encode(value);
        assert.deepEqual(codec.decode(wire.decodeCommandText(again, 0, again.length), data), value);
      }
      return `${name} read`;
    } catch (error) {
      if (error instanceof wire.RequestError) return `${name} ${error.resultCode}`;
      if (error instanceof wire.ProtocolError) return `${name} ${error.code}`;
      throw error;
    }
  },
  split: ({ message }) => message.fields,
  join: (fields, { codec, message }) => ({ codec, message: { ...message, fields: fields as Message['fields'] } }),
};

function ofResponse(decode: (response: wire.Response, data: Uint8Array) => unknown): Codec {
  return { decode: (text, data) => decode(wire.decodeResponse(text), data) };
}

/** About how much memory a value takes. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return 2 * value.length;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (value === null || typeof value !== 'object') return 8;
  let size = 16;
  for (const item of Object.values(value)) size += 8 + sizeOf(item);
  return size;
}
