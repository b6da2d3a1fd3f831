/** What the Code key of a response says. Specification 4.1. */
export const ResultCode = {
  Success: 0,
  NotExistCommand: 1,
  PacketLengthError: 2,
  PacketFormatError: 3,
  UnknownError: 4,
  CommandNotCompleted: 5,
  ParameterError: 6,
  UserOrPasswordError: 7,
  /** The connection has not logged in. The original's name says the opposite of what it means. */
  NotLoggedIn: 8,
  FileNotExist: 9,
  NotOpenFile: 10,
  FileIsInUse: 11,
  /** Ours, as those that follow up to 19: too much is going on; RetryAfterMs says when to try again. docs/protocol.md. */
  Busy: 12,
  /** What the user's role, or a read-only server, does not allow. */
  NotPermitted: 13,
  QuotaExceeded: 14,
  /** The file is not the one that was opened before. */
  FileChanged: 15,
  /** A file has the name, and the client does not want to replace it. */
  FileExists: 16,
  /** Chunks of an upload are missing, or are not what the client has said; UploadChunks tells which. */
  ChunksMissing: 17,
  /** What an upload declares does not fit on the disk. */
  NoSpace: 18,
  /** A file is too large for a batch: it has to be transferred by itself. */
  TooLarge: 19,
  DirNotExist: 0x02000001,
  CreateDirError: 0x02000002,
  DeleteDirError: 0x02000003,
  DeleteFileFailed: 0x02000007,
  FileSizeError: 0x02000008,
} as const;

export type ResultCode = (typeof ResultCode)[keyof typeof ResultCode];

const texts = new Map<number, string>([
  [ResultCode.Success, 'done'],
  [ResultCode.NotExistCommand, 'unknown command'],
  [ResultCode.PacketLengthError, 'bad packet length'],
  [ResultCode.PacketFormatError, 'command text cannot be decoded'],
  [ResultCode.UnknownError, 'unexpected error'],
  [ResultCode.CommandNotCompleted, 'a required key is missing'],
  [ResultCode.ParameterError, 'a key is missing or its value is bad'],
  [ResultCode.UserOrPasswordError, 'login refused: wrong user name or password'],
  [ResultCode.NotLoggedIn, 'not logged in'],
  [ResultCode.FileNotExist, 'file does not exist'],
  [ResultCode.NotOpenFile, 'no file is open'],
  [ResultCode.FileIsInUse, 'file is in use'],
  [ResultCode.Busy, 'the server is busy'],
  [ResultCode.NotPermitted, 'not permitted'],
  [ResultCode.QuotaExceeded, 'quota exceeded'],
  [ResultCode.FileChanged, 'the file has changed meanwhile'],
  [ResultCode.FileExists, 'a file of this name exists'],
  [ResultCode.ChunksMissing, 'parts of the file are missing or damaged'],
  [ResultCode.NoSpace, 'no space for a file of this size'],
  [ResultCode.TooLarge, 'the file is too large to be sent together with others'],
  [ResultCode.DirNotExist, 'directory does not exist'],
  [ResultCode.CreateDirError, 'directory could not be created'],
  [ResultCode.DeleteDirError, 'directory could not be removed'],
  [ResultCode.DeleteFileFailed, 'file could not be removed'],
  [ResultCode.FileSizeError, 'size differs from the size of the file on the server'],
]);

/** Codes of the Delphi server and the protocol document for three causes. Specification 4.1, 15 (V4). */
const synonyms = new Map<number, ResultCode>([
  [0x02000004, ResultCode.FileNotExist],
  [0x02000005, ResultCode.FileIsInUse],
  [0x02000006, ResultCode.NotOpenFile],
]);

/** A sentence for people, for every code; unknown ones are named by their number. */
export function resultText(code: number): string {
  return texts.get(canonicalResultCode(code)) ?? `error ${code}`;
}

/** The code this project uses for the same cause: the Delphi numbers become the C# ones, all others stay as they are. */
export function canonicalResultCode(code: number): number {
  return synonyms.get(code) ?? code;
}
