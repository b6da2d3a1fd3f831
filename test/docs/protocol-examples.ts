import {
  Command,
  dataRequestText,
  dataResponseText,
  digestResponseText,
  encodeDigestRequest,
  encodeDownloadRequest,
  encodeEofRequest,
  encodeEofResponse,
  encodeLoginRequest,
  encodePacket,
  encodeSendFile,
  encodeUploadRequest,
  encodeUploadResponse,
  encodeWelcome,
  Feature,
  Key,
  ResultCode,
  requestText,
  responseText,
} from '@sluice/wire';

const PASSWORD_DIGEST = '21232f297a57a5a743894a0e4a801fc3'; // of `admin`
const FEATURES = [Feature.VerifiedResume, Feature.Durability];
const FILE = { dirName: '', fileName: 'u.bin' };
const CONTENT = Uint8Array.of(0xde, 0xad, 0xbe, 0xef);
/** XXH64 of the content. */
const CONTENT_DIGEST = Uint8Array.from(Buffer.from('2ff5cfb6af9aaf68', 'hex'));

function login(features?: readonly string[]): Uint8Array {
  return encodePacket(encodeLoginRequest({ userName: 'admin', passwordDigest: PASSWORD_DIGEST, features }));
}

/** What the encoders of @sluice/wire make of the examples in docs/protocol.md, by their names there. */
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
  'unknown-request': encodePacket(requestText('Rename')),
  'unknown-response': encodePacket(responseText('Rename', ResultCode.NotExistCommand)),
  'login-features-request': login(FEATURES),
  'login-features-response': encodePacket(encodeWelcome(Command.Login, FEATURES)),
  'active-features-request': encodePacket(requestText(Command.Active, [[Key.Features, '']])),
  'active-features-response': encodePacket(encodeWelcome(Command.Active, FEATURES)),
  'digest-open-request': encodePacket(encodeDigestRequest({ file: undefined, position: 0n, count: 4n })),
  'digest-name-request': encodePacket(encodeDigestRequest({ file: FILE, position: 0n, count: 4n })),
  'digest-response': encodePacket(digestResponseText(Command.Digest, 4), CONTENT_DIGEST),
  'upload-resume-request': encodePacket(encodeUploadRequest({ ...FILE, resume: 2n })),
  'upload-resume-response': encodePacket(encodeUploadResponse(Command.Upload, 2)),
  'data-rest-request': encodePacket(dataRequestText(), CONTENT.subarray(2)),
  'eof-durable-response': encodePacket(encodeEofResponse(Command.Eof, 'durable')),
};
