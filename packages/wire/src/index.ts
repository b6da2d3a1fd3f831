export { asciiFold } from './ascii-fold.js';
export type { Field } from './command-text.js';
export { CommandText, decodeCommandText, messageText, requestText, responseText } from './command-text.js';
export { DataSlab } from './data-slab.js';
export type { DigestRequest } from './digest-messages.js';
export {
  DIGEST_BYTES,
  DIGEST_CHUNK_BYTES,
  decodeDigestRequest,
  digestResponseText,
  encodeDigestRequest,
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
export { dataResponseText, decodeDownloadRequest, encodeDownloadRequest, encodeSendFile } from './download-messages.js';
export type { ProtocolErrorCode } from './errors.js';
export { ProtocolError, RequestError } from './errors.js';
export { parseInteger } from './integers.js';
export { optionalInteger, requiredDirName, requiredInteger, requiredKey } from './keys.js';
export type { LoginRequest } from './login-messages.js';
export { decodeFeatures, decodeLoginRequest, encodeLoginRequest, encodeWelcome, Feature } from './login-messages.js';
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
export type { Response } from './response.js';
export { decodeResponse, responseInteger } from './response.js';
export { canonicalResultCode, ResultCode, resultText } from './result-codes.js';
export {
  decodeCyclePacketRequest,
  encodeCyclePacketRequest,
  encodeCyclePacketResponse,
} from './throughput-messages.js';
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
