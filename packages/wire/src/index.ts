export { asciiFold } from './ascii-fold.js';
export { decodeBase64, encodeBase64 } from './base64.js';
export { CLOSE_REASONS } from './close-reasons.js';
export type { Field } from './command-text.js';
export { CommandText, decodeCommandText, messageText, requestText, responseText } from './command-text.js';
export { CONNECTION_EVENT_TEXTS } from './connection-event-texts.js';
export type {
  ClientChanges,
  ClientItem,
  ClientRecord,
  KickRequest,
  ListClientsRequest,
  TransferRecord,
} from './control-messages.js';
export {
  clientTime,
  decodeClientChanges,
  decodeClientRecords,
  decodeDrainRequest,
  decodeGetClientsResponse,
  decodeJsonData,
  decodeKickRequest,
  decodeListClientsRequest,
  decodeLogLevelRequest,
  decodeReadOnlyRequest,
  decodeWatchClientsRequest,
  encodeDrainRequest,
  encodeGetClientsRequest,
  encodeGetClientsResponse,
  encodeJsonData,
  encodeKickRequest,
  encodeListClientsRequest,
  encodeLogLevelRequest,
  encodeReadOnlyRequest,
  encodeValueResponse,
  encodeWatchClientsRequest,
  MAX_LISTED_CLIENTS,
  MAX_WATCH_INTERVAL_MS,
  MIN_WATCH_INTERVAL_MS,
} from './control-messages.js';
export { DataSlab } from './data-slab.js';
export type { DigestRequest, FileVersion } from './digest-messages.js';
export {
  DIGEST_BYTES,
  DIGEST_CHUNK_BYTES,
  decodeDigestRequest,
  decodeFileVersion,
  digestResponseText,
  encodeDigestRequest,
  MAX_VERSION_LENGTH,
} from './digest-messages.js';
export type { DeleteFileRequest, DirectoryRequest, ListedFile } from './directory-messages.js';
export {
  decodeDeleteFileRequest,
  decodeDirectoryRequest,
  decodeDirRequest,
  decodeDirResponse,
  decodeFileListRequest,
  decodeFileListResponse,
  encodeDeleteFileRequest,
  encodeDirectoryRequest,
  encodeDirRequest,
  encodeDirResponse,
  encodeFileListRequest,
  encodeFileListResponse,
} from './directory-messages.js';
export type { DownloadRequest } from './download-messages.js';
export {
  dataResponseText,
  decodeDownloadRange,
  decodeDownloadRequest,
  encodeDownloadRequest,
  encodeSendFile,
} from './download-messages.js';
export type { ProtocolErrorCode } from './errors.js';
export { ProtocolError, RequestError } from './errors.js';
export type { ClosedConnection, ConnectionEnd, ConnectionEvent, ConnectionExplanation } from './explain-messages.js';
export {
  decodeClosedConnections,
  decodeExplainRequest,
  decodeExplanation,
  encodeExplainRequest,
} from './explain-messages.js';
export type {
  BatchFacts,
  BatchFile,
  BatchName,
  FetchedFile,
  PutFilesRequest,
  PutFilesResult,
  PutFilesTable,
} from './file-batch-messages.js';
export {
  BATCH_CONTENT_BYTES,
  decodeFetchedTable,
  decodeGetFilesRequest,
  decodeGetFilesTable,
  decodePutFilesRequest,
  decodePutFilesResult,
  decodePutFilesTable,
  encodeBatchCodes,
  encodeFetchedTable,
  encodeGetFilesRequest,
  encodeGetFilesTable,
  encodePutFilesRequest,
  encodePutFilesTable,
  getFilesResponseText,
  MAX_BATCH_ENTRIES,
  MAX_BATCHED_FILE_BYTES,
  putFilesResponseText,
} from './file-batch-messages.js';
export type {
  RecordState,
  StatFileAnswer,
  StatFileRequest,
  VerifiedChunk,
  VerifyFileAnswer,
  VerifyFileRequest,
} from './file-status-messages.js';
export {
  decodeStatFileRequest,
  decodeStatFileResponse,
  decodeVerifyFileRequest,
  decodeVerifyFileResponse,
  encodeStatFileRequest,
  encodeStatFileResponse,
  encodeVerifiedChunks,
  encodeVerifyFileRequest,
  encodeVerifyFileResponse,
  MAX_VERIFIED_BYTES,
} from './file-status-messages.js';
export type { FloodDirection, FloodGrant, FloodReport, FloodRequest } from './flood-messages.js';
export {
  decodeFloodReport,
  decodeFloodRequest,
  decodeFloodResponse,
  encodeFloodReport,
  encodeFloodRequest,
  encodeFloodResponse,
  FLOOD_DIRECTIONS,
  MAX_FLOOD_BYTES,
  MAX_FLOOD_MS,
  MAX_REPORT_MS,
  MIN_REPORT_MS,
} from './flood-messages.js';
export { FloodPackets } from './flood-packets.js';
export { parseInteger } from './integers.js';
export { optionalInteger, requiredDirName, requiredInteger, requiredKey, requiredOffset } from './keys.js';
export type { FollowLogRequest, LogLines } from './log-messages.js';
export {
  decodeFollowLogRequest,
  decodeLogCursor,
  decodeLogLines,
  encodeFollowLogRequest,
  encodeLogCursor,
  encodeLogLines,
  MAX_LINES_BACK,
} from './log-messages.js';
export type { LoginRequest, SaslLoginRequest } from './login-messages.js';
export {
  decodeFeatures,
  decodeLoginRequest,
  decodeSaslLoginRequest,
  decodeSaslMessage,
  encodeLoginRequest,
  encodeSaslChallenge,
  encodeSaslLoginRequest,
  encodeWelcome,
  Feature,
} from './login-messages.js';
export { Command, FILE_SIZE_SEPARATOR, Key, ProtocolFlag } from './names.js';
export type { ByteOrder } from './packet.js';
export {
  commandTextEnd,
  encodePacket,
  MAX_PACKET_LENGTH,
  MAX_SENT_PACKET_LENGTH,
  PACKET_HEAD_BYTES,
  packetLayout,
  writePacketHead,
} from './packet.js';
export { preparePassword } from './password-preparation.js';
export {
  fitsPlainCyclePacket,
  isPlainCyclePacketRequest,
  plainCyclePacketResponseBytes,
  writePlainCyclePacketResponse,
} from './plain-cycle-packet.js';
export { ReadAnswer } from './read-answer.js';
export type {
  FileKind,
  FileStatus,
  KeptFile,
  OpenedFileAnswer,
  ReadAtRequest,
  ResumedFile,
  WriteAtRequest,
} from './remote-file-messages.js';
export {
  decodeOpenFileResponse,
  decodeReadAtRequest,
  decodeResumeFileRequest,
  decodeResumeFileResponse,
  decodeStatRequest,
  decodeStatResponse,
  decodeWriteAtRequest,
  encodeOpenFileResponse,
  encodeReadAtRequest,
  encodeResumeFileRequest,
  encodeResumeFileResponse,
  encodeStatRequest,
  encodeStatResponse,
  encodeSyncRequest,
  encodeWriteAtRequest,
  RESUME_TOKEN_DIGITS,
} from './remote-file-messages.js';
export type { OpenFileRequest, SeekRequest } from './remote-stream-messages.js';
export {
  decodeFileExistsRequest,
  decodeOpenFileRequest,
  decodeReadRequest,
  decodeSeekRequest,
  decodeSetPositionRequest,
  decodeSetSizeRequest,
  encodeCloseFileRequest,
  encodeCountResponse,
  encodeFileExistsRequest,
  encodeGetPositionRequest,
  encodeGetSizeRequest,
  encodeOpenFileRequest,
  encodePositionResponse,
  encodeReadRequest,
  encodeSeekRequest,
  encodeSeekResponse,
  encodeSetPositionRequest,
  encodeSetSizeRequest,
  encodeSizeResponse,
  encodeWriteRequest,
  FileMode,
  MAX_READ_BYTES,
  requireDataCount,
  SeekOrigin,
} from './remote-stream-messages.js';
export type { IfTargetExists, RenameRequest } from './rename-messages.js';
export { decodeRenameRequest, encodeRenameRequest, IF_TARGET_EXISTS } from './rename-messages.js';
export type { Response } from './response.js';
export { decodeResponse, responseInteger, responseRetryAfterMs } from './response.js';
export { canonicalResultCode, ResultCode, resultText } from './result-codes.js';
export type { ScramHash, ScramKeys } from './scram-keys.js';
export { scramKeysOf, scramProof, scramProvenKey, scramSignature } from './scram-keys.js';
export type { ChannelBindingFlag, ScramClientFinal, ScramClientFirst, ScramServerFirst } from './scram-messages.js';
export {
  CHANNEL_BINDING,
  decodeScramClientFinal,
  decodeScramClientFirst,
  decodeScramServerFinal,
  decodeScramServerFirst,
  encodeScramClientFinal,
  encodeScramServerFinal,
  encodeScramServerFirst,
  MAX_SCRAM_ITERATIONS,
  MAX_SCRAM_MESSAGE_BYTES,
  MIN_SCRAM_ITERATIONS,
  makeScramClientFirst,
  NEW_SCRAM_ITERATIONS,
  SCRAM_HASH_BYTES,
  ScramMechanism,
  scramAuthMessage,
  scramBinding,
  scramWithoutProof,
} from './scram-messages.js';
export type {
  BeginUploadRequest,
  BegunUpload,
  ChunkEntry,
  ChunkRange,
  CommittedUpload,
  CommitUploadRequest,
  IfExists,
  PartialRecord,
} from './staged-upload-messages.js';
export {
  CHUNK_ENTRY_BYTES,
  ChunkState,
  decodeBeginUploadRequest,
  decodeBegunUpload,
  decodeChunkEntries,
  decodeChunkRangeRequest,
  decodeCommittedUpload,
  decodeCommitUploadRequest,
  decodeEndChunkRequest,
  decodePlaceDataRequest,
  decodeUploadIdRequest,
  digestText,
  encodeBeginUploadRequest,
  encodeBegunUpload,
  encodeChunkEntries,
  encodeChunkRangeRequest,
  encodeCommittedUpload,
  encodeCommitUploadRequest,
  encodeEndChunkRequest,
  encodePlaceDataRequest,
  encodeUploadIdRequest,
  IF_EXISTS,
  MAX_CHUNKS_AT_ONCE,
  MAX_SOURCE_ID_LENGTH,
  uploadChunksResponseText,
} from './staged-upload-messages.js';
export type { StreamKeys } from './stream-keys.js';
export {
  decodeHandle,
  decodeTag,
  MAX_HANDLES,
  MAX_TAG,
  responseTag,
  streamRequestText,
  streamResponseText,
} from './stream-keys.js';
export {
  decodeCyclePacketRequest,
  encodeCyclePacketRequest,
  encodeCyclePacketResponse,
} from './throughput-messages.js';
export type { ListTreeRequest, TreePage, WireTreeEntry } from './tree-messages.js';
export {
  decodeListTreeRequest,
  decodeListTreeResponse,
  encodeListTreeRequest,
  encodeListTreeResponse,
  encodeTreeEntries,
  MAX_TREE_ENTRIES,
} from './tree-messages.js';
export type { Durability, UploadRequest } from './upload-messages.js';
export {
  dataRequestText,
  decodeEofRequest,
  decodeUploadRequest,
  encodeEofRequest,
  encodeEofResponse,
  encodeUploadRequest,
  encodeUploadResponse,
} from './upload-messages.js';
export type {
  ListedUsers,
  ListUsersRequest,
  SentVerifier,
  SetUserRequest,
  UserRecord,
  UserRole,
  UsersSource,
} from './user-messages.js';
export {
  decodeListUsersRequest,
  decodeListUsersResponse,
  decodeRemoveUserRequest,
  decodeSetUserRequest,
  encodeListUsersRequest,
  encodeListUsersResponse,
  encodeRemoveUserRequest,
  encodeSetUserRequest,
  MAX_LISTED_USERS,
  USER_ROLES,
  USER_SALT_BYTES,
} from './user-messages.js';
