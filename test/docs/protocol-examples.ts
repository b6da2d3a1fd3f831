import { contentDigestOf } from '@sluice/files';
import {
  ChunkState,
  type ClientChanges,
  type ClientRecord,
  Command,
  type ConnectionExplanation,
  dataRequestText,
  dataResponseText,
  digestResponseText,
  digestText,
  encodeBatchCodes,
  encodeBeginUploadRequest,
  encodeBegunUpload,
  encodeChunkEntries,
  encodeChunkRangeRequest,
  encodeCloseFileRequest,
  encodeCommittedUpload,
  encodeCommitUploadRequest,
  encodeCountResponse,
  encodeDigestRequest,
  encodeDownloadRequest,
  encodeDrainRequest,
  encodeEndChunkRequest,
  encodeEofRequest,
  encodeEofResponse,
  encodeExplainRequest,
  encodeFetchedTable,
  encodeFloodReport,
  encodeFloodRequest,
  encodeFloodResponse,
  encodeFollowLogRequest,
  encodeGetFilesRequest,
  encodeGetFilesTable,
  encodeJsonData,
  encodeKickRequest,
  encodeListClientsRequest,
  encodeListTreeRequest,
  encodeListTreeResponse,
  encodeListUsersRequest,
  encodeListUsersResponse,
  encodeLoginRequest,
  encodeLogLines,
  encodeOpenFileRequest,
  encodeOpenFileResponse,
  encodePacket,
  encodePlaceDataRequest,
  encodePutFilesRequest,
  encodePutFilesTable,
  encodeReadAtRequest,
  encodeReadOnlyRequest,
  encodeReadRequest,
  encodeRemoveUserRequest,
  encodeRenameRequest,
  encodeResumeFileRequest,
  encodeResumeFileResponse,
  encodeSaslChallenge,
  encodeSaslLoginRequest,
  encodeScramServerFinal,
  encodeSeekRequest,
  encodeSeekResponse,
  encodeSendFile,
  encodeSetUserRequest,
  encodeStatFileRequest,
  encodeStatFileResponse,
  encodeStatRequest,
  encodeStatResponse,
  encodeSyncRequest,
  encodeTreeEntries,
  encodeUploadIdRequest,
  encodeUploadRequest,
  encodeUploadResponse,
  encodeValueResponse,
  encodeVerifiedChunks,
  encodeVerifyFileRequest,
  encodeVerifyFileResponse,
  encodeWatchClientsRequest,
  encodeWelcome,
  encodeWriteAtRequest,
  encodeWriteRequest,
  Feature,
  FileMode,
  FloodPackets,
  getFilesResponseText,
  Key,
  type PartialRecord,
  ProtocolFlag,
  putFilesResponseText,
  ResultCode,
  requestText,
  responseText,
  ScramMechanism,
  SeekOrigin,
  type UserRecord,
  uploadChunksResponseText,
  type WireTreeEntry,
} from '@sluice/wire';

const PASSWORD_DIGEST = '21232f297a57a5a743894a0e4a801fc3'; // of `admin`
const FEATURES = [
  Feature.VerifiedResume,
  Feature.Durability,
  Feature.Staging,
  Feature.Batch,
  Feature.FileStatus,
  Feature.Trees,
  Feature.Rename,
];
const UPLOAD_ID = '00112233445566778899aabbccddeeff';
/** XXH64 of CONTENT, and of that digest. */
const [CHUNK_DIGEST, FILE_DIGEST] = [0x2ff5cfb6af9aaf68n, 0x227d4a80db3de400n];
/** On each protocol. */
const EVERYWHERE = [Feature.Scram];
const REMOTE_FEATURES = [Feature.Tag, Feature.RemoteFile, Feature.ResumeFile];
/** Random in truth. */
const PARTIAL: PartialRecord = {
  id: UPLOAD_ID,
  name: 'in/video.mkv',
  user: 'ada',
  size: 10_000_000_000,
  stagedBytes: 4_194_304,
  createdAt: '2026-01-01T00:00:00.000Z',
  changedAt: '2026-01-01T00:00:01.000Z',
  isHeld: false,
};
const TOKEN = '00112233445566778899aabbccddeeff';
const CLIENT: ClientRecord = {
  id: 1,
  localAddress: '127.0.0.1:9999',
  remoteAddress: '127.0.0.1:46890',
  protocol: 'Control',
  isEncrypted: false,
  user: 'admin',
  connectedAt: '2026-01-01T00:00:00.000Z',
  lastActivityAt: '2026-01-01T00:00:01.000Z',
  receivedBytes: 206,
  sentBytes: 77,
  receivedFrames: 2,
  sentFrames: 1,
  queuedBytes: 0,
  receiveRate: 0,
  sendRate: 0,
};
const LOG_LINE = '{"time":"2026-01-01T00:00:00.000Z","level":"warn","seq":42,"event":"audit","user":"ada"}';
const FILE = { dirName: '', fileName: 'u.bin' };
const BATCH_DIRECTORIES = ['', 'a'];
const CONTENT = Uint8Array.of(0xde, 0xad, 0xbe, 0xef);
/** XXH64 of the content. */
const CONTENT_DIGEST = Uint8Array.from(Buffer.from('2ff5cfb6af9aaf68', 'hex'));

/** The exchange of RFC 7677, section 3. */
export const SCRAM = {
  clientFirst: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  clientFinal:
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  signature: Uint8Array.from(Buffer.from('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=', 'base64')),
} as const;

const CHUNK = { isDamaged: false, digest: CONTENT_DIGEST };
const TREE_ENTRY: WireTreeEntry = {
  path: 'u.bin',
  kind: 'file',
  size: 4,
  modifiedNs: '1767225600000000000',
  mode: 0o640,
  digest: contentDigestOf(CONTENT_DIGEST),
};

function login(features?: readonly string[]): Uint8Array {
  return encodePacket(encodeLoginRequest({ userName: 'admin', passwordDigest: PASSWORD_DIGEST, features }));
}

/** Two files, the second of them empty. */
const BATCH_TABLE = encodePutFilesTable(BATCH_DIRECTORIES, [
  {
    directory: 0,
    name: 'u.bin',
    size: 4,
    digest: 0x2ff5cfb6af9aaf68n,
    modifiedNs: 1_767_225_600_000_000_000n,
    mode: 0o644,
  },
  { directory: 1, name: 'v', size: 0, digest: 0xef46db3751d8e999n },
]);

/** What the encoders of @sluice/wire make of the examples in docs/protocol.md, by their names there. */
const EXPLANATION: ConnectionExplanation = {
  connection: {
    id: 17,
    localAddress: '192.0.2.1:4567',
    remoteAddress: '192.0.2.7:50123',
    protocol: 'Upload',
    isEncrypted: false,
    user: 'ada',
    connectedAt: '2026-01-01T00:00:00.000Z',
    lastActivityAt: '2026-01-01T00:00:01.000Z',
    receivedBytes: 159,
    sentBytes: 114,
    receivedFrames: 1,
    sentFrames: 1,
    queuedBytes: 0,
    receiveRate: 0,
    sendRate: 0,
    closedAt: '2026-01-01T00:05:01.000Z',
    durationMs: 301_000,
    reason: 'idle-timeout',
  },
  lostEvents: 0,
  events: [
    { event: 'Login', direction: 'in', atMs: 1000, lastMs: 1000, count: 1, unit: 'bytes', total: 158, largest: 158 },
    { event: 'login-accepted', atMs: 1000.4, lastMs: 1000.4, count: 1 },
  ],
};

const GATEWAY_MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

const USER: UserRecord = {
  name: 'ada',
  role: 'user',
  root: 'home/ada',
  quotaBytes: 1_073_741_824,
  isDisabled: false,
  logins: ['scram'],
};

export const PROTOCOL_EXAMPLES: Readonly<Record<string, Uint8Array>> = {
  'login-request': login(),
  'login-response': encodePacket(encodeWelcome(Command.Login, undefined)),
  'upload-request': encodePacket(encodeUploadRequest(FILE)),
  'upload-response': encodePacket(encodeUploadResponse(Command.Upload, 0)),
  'data-request': encodePacket(dataRequestText(), CONTENT),
  'eof-request': encodePacket(encodeEofRequest(4)),
  'eof-response': encodePacket(encodeEofResponse(Command.Eof, undefined)),
  'download-request': encodePacket(encodeDownloadRequest({ ...FILE, fileSize: 0n, packetSize: 3n })),
  'download-response': encodePacket(responseText(Command.Download, ResultCode.Success)),
  sendfile: encodePacket(encodeSendFile(4)),
  'download-data-1': encodePacket(dataResponseText(), CONTENT.subarray(0, 3)),
  'download-data-2': encodePacket(dataResponseText(), CONTENT.subarray(3)),
  'active-request': encodePacket(requestText(Command.Active)),
  'active-response': encodePacket(encodeWelcome(Command.Active, undefined)),
  'unknown-request': encodePacket(requestText('Shrink')),
  'unknown-response': encodePacket(responseText('Shrink', ResultCode.NotExistCommand)),
  'login-features-request': login(FEATURES),
  'login-features-response': encodePacket(encodeWelcome(Command.Login, [...FEATURES, ...EVERYWHERE])),
  'active-features-request': encodePacket(requestText(Command.Active, [[Key.Features, '']])),
  'active-features-response': encodePacket(encodeWelcome(Command.Active, [...FEATURES, ...EVERYWHERE])),
  'digest-open-request': encodePacket(encodeDigestRequest({ file: undefined, position: 0n, count: 4n })),
  'digest-name-request': encodePacket(encodeDigestRequest({ file: FILE, position: 0n, count: 4n })),
  'digest-response': encodePacket(digestResponseText(Command.Digest, 4), CONTENT_DIGEST),
  'digest-version-response': encodePacket(
    digestResponseText(Command.Digest, 4, { version: TOKEN, modifiedNs: 1_767_225_600_000_000_000n, mode: 0o640 }),
    CONTENT_DIGEST,
  ),
  'download-range-request': encodePacket(encodeDownloadRequest({ ...FILE, fileSize: 1n, packetSize: 3n, count: 2 })),
  'sendfile-range': encodePacket(encodeSendFile(2)),
  'download-range-data': encodePacket(dataResponseText(), CONTENT.subarray(1, 3)),
  'download-version-request': encodePacket(
    encodeDownloadRequest({ ...FILE, fileSize: 1n, packetSize: 3n, count: 2, version: TOKEN }),
  ),
  'download-changed-response': encodePacket(responseText(Command.Download, ResultCode.FileChanged)),
  'upload-resume-request': encodePacket(encodeUploadRequest({ ...FILE, resume: 2n })),
  'upload-resume-response': encodePacket(encodeUploadResponse(Command.Upload, 2)),
  'data-rest-request': encodePacket(dataRequestText(), CONTENT.subarray(2)),
  'openfile-request': encodePacket(encodeOpenFileRequest({ fileName: 'u.bin', mode: FileMode.ReadWrite })),
  'openfile-response': encodePacket(responseText(Command.OpenFile, ResultCode.Success)),
  'write-request': encodePacket(encodeWriteRequest(4), CONTENT),
  'write-response': encodePacket(encodeCountResponse(Command.Write, 4)),
  'seek-request': encodePacket(encodeSeekRequest({ offset: -1, origin: SeekOrigin.End })),
  'seek-response': encodePacket(encodeSeekResponse(Command.Seek, 3)),
  'read-request': encodePacket(encodeReadRequest(4)),
  'read-response': encodePacket(encodeCountResponse(Command.Read, 1), CONTENT.subarray(3)),
  'closefile-request': encodePacket(encodeCloseFileRequest()),
  'closefile-response': encodePacket(responseText(Command.CloseFile, ResultCode.Success)),
  'login-remote-request': login(REMOTE_FEATURES),
  'login-remote-response': encodePacket(encodeWelcome(Command.Login, [...REMOTE_FEATURES, ...EVERYWHERE])),
  'readat-request': encodePacket(encodeReadAtRequest({ position: 0, count: 4 }, { tag: 7 })),
  'readat-response': encodePacket(encodeCountResponse(Command.ReadAt, 4, 7), CONTENT),
  'stat-missing-request': encodePacket(encodeStatRequest('none.bin', { tag: 8 })),
  'stat-missing-response': encodePacket(
    responseText(Command.Stat, ResultCode.FileNotExist, [[Key.Tag, 8]], 'file not found'),
  ),
  'openfile-handle-request': encodePacket(
    encodeOpenFileRequest({ fileName: 'u.bin', mode: FileMode.ReadWrite }, { handle: 3 }),
  ),
  'openfile-handle-response': encodePacket(encodeOpenFileResponse(Command.OpenFile, { size: 4 })),
  'writeat-request': encodePacket(
    encodeWriteAtRequest({ position: 2, count: 2 }, { tag: 9, handle: 3 }),
    CONTENT.subarray(0, 2),
  ),
  'writeat-response': encodePacket(encodeCountResponse(Command.WriteAt, 2, 9)),
  'sync-request': encodePacket(encodeSyncRequest({ tag: 10, handle: 3 })),
  'sync-response': encodePacket(responseText(Command.Sync, ResultCode.Success, [[Key.Tag, 10]])),
  'stat-request': encodePacket(encodeStatRequest('u.bin')),
  'stat-response': encodePacket(
    encodeStatResponse(Command.Stat, { kind: 'file', size: 4, modifiedNs: 1_767_225_600_000_000_000n }),
  ),
  'openfile-keep-request': encodePacket(
    encodeOpenFileRequest({ fileName: 'u.bin', mode: FileMode.ReadWrite, keepMs: 60_000 }),
  ),
  'openfile-keep-response': encodePacket(
    encodeOpenFileResponse(Command.OpenFile, { size: 4, kept: { resumeToken: TOKEN, keepMs: 60_000 } }),
  ),
  'resumefile-request': encodePacket(encodeResumeFileRequest(TOKEN, { handle: 5 })),
  'resumefile-response': encodePacket(
    encodeResumeFileResponse(Command.ResumeFile, { mode: FileMode.ReadWrite, size: 4, position: 2, keepMs: 60_000 }),
  ),
  'resumefile-changed-response': encodePacket(
    responseText(Command.ResumeFile, ResultCode.FileChanged, [], 'the file has changed meanwhile'),
  ),
  'statfile-request': encodePacket(encodeStatFileRequest(FILE)),
  'statfile-response': encodePacket(
    encodeStatFileResponse(Command.StatFile, {
      kind: 'file',
      size: 4,
      modifiedNs: 1_767_225_600_000_000_000n,
      mode: 0o640,
      version: TOKEN,
      contentDigest: contentDigestOf(CONTENT_DIGEST),
    }),
  ),
  'verifyfile-request': encodePacket(encodeVerifyFileRequest({ ...FILE, position: 0, count: 128 << 20 })),
  'verifyfile-response': encodePacket(
    encodeVerifyFileResponse(Command.VerifyFile, { size: 4, version: TOKEN, state: 'recorded', chunks: [CHUNK] }),
    encodeVerifiedChunks([CHUNK]),
  ),
  'rename-request': encodePacket(
    encodeRenameRequest({
      dirName: '',
      fileName: 'u.bin',
      targetDir: 'done',
      targetName: 'v.bin',
      ifExists: 'replace',
    }),
  ),
  'rename-response': encodePacket(responseText(Command.Rename, ResultCode.Success)),
  'listtree-request': encodePacket(encodeListTreeRequest({ dirName: '', limit: 1 })),
  'listtree-response': encodePacket(
    encodeListTreeResponse(Command.ListTree, { entries: [TREE_ENTRY], cursor: 'f/u.bin' }),
    encodeTreeEntries([TREE_ENTRY]),
  ),
  'listclients-request': encodePacket(encodeListClientsRequest({ after: 0, limit: 1000 })),
  'listclients-response': encodePacket(
    responseText(Command.ListClients, ResultCode.Success, [
      [Key.Count, 1],
      [Key.More, 'no'],
    ]),
    encodeJsonData([CLIENT]),
  ),
  'watchclients-request': encodePacket(encodeWatchClientsRequest(1000)),
  clientchanges: encodePacket(
    responseText(Command.ClientChanges, ResultCode.Success, [[Key.Count, 1]]),
    encodeJsonData({ changed: [], removed: [7], total: 1, more: false } satisfies ClientChanges),
  ),
  'kick-request': encodePacket(encodeKickRequest({ user: 'ada', idleMs: 60_000 })),
  'kick-response': encodePacket(responseText(Command.Kick, ResultCode.Success, [[Key.Count, 2]])),
  'gateway-message': frame(
    GATEWAY_MASK,
    Uint8Array.of(ProtocolFlag.Control),
    encodePacket(requestText(Command.Active)),
  ),
  'gateway-answer': frame(undefined, encodePacket(responseText(Command.Active, ResultCode.Success))),
  'explain-request': encodePacket(encodeExplainRequest(17)),
  'explain-response': encodePacket(responseText(Command.Explain, ResultCode.Success), encodeJsonData(EXPLANATION)),
  'listusers-request': encodePacket(encodeListUsersRequest({ limit: 1000 })),
  'listusers-response': encodePacket(
    encodeListUsersResponse(Command.ListUsers, { users: [USER], source: 'file', more: false }),
    encodeJsonData([USER]),
  ),
  'setuser-request': encodePacket(
    encodeSetUserRequest({
      name: 'ada',
      isNew: true,
      role: 'user',
      root: 'home/ada',
      quotaBytes: 1_073_741_824,
      verifier: {
        iterations: 600_000,
        salt: Uint8Array.from({ length: 16 }, (_, i) => i),
        storedKey: new Uint8Array(32).fill(1),
        serverKey: new Uint8Array(32).fill(2),
      },
    }),
  ),
  'setuser-change-request': encodePacket(
    encodeSetUserRequest({ name: 'ada', isNew: false, quotaBytes: null, isDisabled: true }),
  ),
  'setuser-response': encodePacket(responseText(Command.SetUser, ResultCode.Success)),
  'removeuser-request': encodePacket(encodeRemoveUserRequest('ada')),
  'readonly-request': encodePacket(encodeReadOnlyRequest(true)),
  'readonly-response': encodePacket(encodeValueResponse(Command.ReadOnly, 'on')),
  'followlog-request': encodePacket(
    encodeFollowLogRequest({ cursor: '00112233445566aa:41', level: 'warn', conditions: ['user=ada'] }),
  ),
  loglines: encodePacket(
    encodeLogLines({ lines: [LOG_LINE], cursor: '00112233445566aa:42', missed: 0, isEnd: false }),
    new TextEncoder().encode(`${LOG_LINE}\n`),
  ),
  'drain-request': encodePacket(encodeDrainRequest(5000)),
  'active-flood-response': encodePacket(encodeWelcome(Command.Active, [Feature.Flood, ...EVERYWHERE])),
  'flood-request': encodePacket(encodeFloodRequest({ direction: 'down', durationMs: 5000, size: 1 })),
  'flood-response': encodePacket(encodeFloodResponse(Command.Flood, { durationMs: 5000, rate: 0 })),
  'flood-data': new FloodPackets(dataResponseText(), 1).take(1).packets,
  'flood-report': encodePacket(
    encodeFloodReport({ received: 0, sent: 1, elapsedMs: 1, cpuMs: 0, busyMs: 1, isEnd: true }),
  ),
  'flood-busy-response': encodePacket(
    responseText(
      Command.Flood,
      ResultCode.Busy,
      [[Key.RetryAfterMs, 5000]],
      'no more than 16 streams of this client are measured at once',
    ),
  ),
  'connection-refused': encodePacket(
    responseText('', ResultCode.Busy, [[Key.RetryAfterMs, 2750]], 'the server has no room for another connection now'),
  ),
  'beginupload-request': encodePacket(
    encodeBeginUploadRequest({
      dirName: '',
      fileName: 'u.bin',
      fileSize: 4,
      sourceId: 'laptop-42',
      modifiedNs: 1_767_225_600_000_000_000n,
      mode: 0o644,
    }),
  ),
  'beginupload-response': encodePacket(
    encodeBegunUpload(Command.BeginUpload, { uploadId: UPLOAD_ID, stagedBytes: 0, source: 'none', chunks: 0 }),
  ),
  'placedata-request': encodePacket(encodePlaceDataRequest(0)),
  'endchunk-request': encodePacket(encodeEndChunkRequest(CHUNK_DIGEST)),
  'commitupload-request': encodePacket(encodeCommitUploadRequest({ fileSize: 4, digest: FILE_DIGEST })),
  'commitupload-missing-response': encodePacket(
    responseText(Command.CommitUpload, ResultCode.ChunksMissing, [], '1 chunks are missing or damaged'),
  ),
  'uploadchunks-request': encodePacket(encodeChunkRangeRequest(Command.UploadChunks, { first: 0, count: 100 })),
  'uploadchunks-response': encodePacket(
    uploadChunksResponseText(Command.UploadChunks, 1),
    encodeChunkEntries([{ state: ChunkState.Staged, digest: CHUNK_DIGEST }]),
  ),
  'commitupload-response': encodePacket(
    encodeCommittedUpload(Command.CommitUpload, { durability: 'durable', digest: digestText(FILE_DIGEST) }),
  ),
  'beginupload-unchanged-response': encodePacket(
    encodeBegunUpload(Command.BeginUpload, {
      uploadId: undefined,
      stagedBytes: 0,
      source: 'none',
      chunks: 0,
      nothingToDo: 'unchanged',
      digest: digestText(FILE_DIGEST),
    }),
  ),
  'joinupload-request': encodePacket(encodeUploadIdRequest(Command.JoinUpload, UPLOAD_ID)),
  'usetarget-request': encodePacket(encodeChunkRangeRequest(Command.UseTarget, { first: 0, count: 3 })),
  'listpartials-response': encodePacket(
    responseText(Command.ListPartials, ResultCode.Success),
    encodeJsonData([PARTIAL]),
  ),
  'putfiles-request': encodePacket(
    encodePutFilesRequest({ dirName: '', makesParents: true }),
    Buffer.concat([BATCH_TABLE, CONTENT]),
  ),
  'putfiles-response': encodePacket(
    putFilesResponseText(Command.PutFiles, 'durable'),
    encodeBatchCodes([0, 0], [0, 0]),
  ),
  'getfiles-request': encodePacket(
    encodeGetFilesRequest(''),
    encodeGetFilesTable(BATCH_DIRECTORIES, [
      { directory: 0, name: 'u.bin' },
      { directory: 1, name: 'w' },
    ]),
  ),
  'getfiles-response': encodePacket(
    getFilesResponseText(Command.GetFiles, 2),
    Buffer.concat([
      encodeFetchedTable([
        {
          code: 0,
          facts: { size: 4, digest: 0x2ff5cfb6af9aaf68n, modifiedNs: 1_767_225_600_000_000_000n, mode: 0o644 },
        },
        { code: ResultCode.FileNotExist, facts: { size: 0, digest: 0n } },
      ]),
      CONTENT,
    ]),
  ),
  'eof-durable-response': encodePacket(encodeEofResponse(Command.Eof, 'durable')),
  'scram-first-request': encodePacket(
    encodeSaslLoginRequest({
      mechanism: ScramMechanism.Sha256,
      message: SCRAM.clientFirst,
      features: [Feature.Scram],
    }),
  ),
  'scram-first-response': encodePacket(encodeSaslChallenge(Command.Login, SCRAM.serverFirst)),
  'scram-final-request': encodePacket(
    encodeSaslLoginRequest({ mechanism: undefined, message: SCRAM.clientFinal, features: undefined }),
  ),
  'scram-final-response': encodePacket(
    encodeWelcome(Command.Login, [Feature.VerifiedResume, ...EVERYWHERE], encodeScramServerFinal(SCRAM.signature)),
  ),
  'scram-mechanism-response': encodePacket(
    responseText(
      Command.Login,
      ResultCode.ParameterError,
      [[Key.Mechanisms, ScramMechanism.Sha256]],
      'no such mechanism',
    ),
  ),
  'digest-refused-response': encodePacket(
    responseText(
      Command.Login,
      ResultCode.NotPermitted,
      [[Key.Mechanisms, ScramMechanism.Sha256]],
      'the digest of a password is taken over TLS and from the same machine only: use SCRAM',
    ),
  ),
};

/** One whole binary message of fewer than 126 bytes. RFC 6455, 5.2. */
function frame(mask: Uint8Array | undefined, ...parts: readonly Uint8Array[]): Uint8Array {
  const payload = Buffer.concat(parts);
  const length = payload.length;
  if (!mask) return Buffer.concat([Uint8Array.of(0x82, length), payload]);
  return Buffer.concat([Uint8Array.of(0x82, 0x80 | length), mask, payload.map((byte, i) => byte ^ mask[i % 4]!)]);
}
