/** The byte that chooses the protocol of a connection. Specification 1.1. */
export const ProtocolFlag = {
  Upload: 2,
  Download: 3,
  RemoteStream: 4,
  Throughput: 5,
  Control: 8,
  LogOutput: 9,
} as const;

export type ProtocolFlag = (typeof ProtocolFlag)[keyof typeof ProtocolFlag];

/** Command names in their canonical spelling. Specification 4 to 9; from `Digest` on they are extensions, docs/protocol.md. */
export const Command = {
  Login: 'Login',
  Active: 'Active',
  Dir: 'Dir',
  CreateDir: 'CreateDir',
  DeleteDir: 'DeleteDir',
  FileList: 'FileList',
  DeleteFile: 'DeleteFile',
  Upload: 'Upload',
  Data: 'Data',
  Eof: 'Eof',
  Download: 'Download',
  SendFile: 'SendFile',
  FileExists: 'FileExists',
  OpenFile: 'OpenFile',
  SetSize: 'SetSize',
  GetSize: 'GetSize',
  SetPosition: 'SetPosition',
  GetPosition: 'GetPosition',
  Read: 'Read',
  Write: 'Write',
  Seek: 'Seek',
  CloseFile: 'CloseFile',
  CyclePacket: 'CyclePacket',
  Digest: 'Digest',
  ReadAt: 'ReadAt',
  WriteAt: 'WriteAt',
  Sync: 'Sync',
  Stat: 'Stat',
  ResumeFile: 'ResumeFile',
} as const;

/** Key names in their canonical spelling. Specification 3.6; the last group are extensions, docs/protocol.md. */
export const Key = {
  Command: 'Command',
  Code: 'Code',
  Message: 'Message',
  UserName: 'UserName',
  Password: 'Password',
  ParentDir: 'ParentDir',
  DirName: 'DirName',
  /** The protocol document's name for DirName; accepted where DirName is missing. Specification 15 (V15). */
  Dir: 'Dir',
  FileName: 'FileName',
  FileSize: 'FileSize',
  PacketSize: 'PacketSize',
  Item: 'Item',
  Position: 'Position',
  Count: 'Count',
  Mode: 'Mode',
  Size: 'Size',
  Offset: 'Offset',
  SeekOrigin: 'SeekOrigin',

  Features: 'Features',
  Resume: 'Resume',
  ChunkSize: 'ChunkSize',
  Durability: 'Durability',
  Tag: 'Tag',
  Handle: 'Handle',
  KeepMs: 'KeepMs',
  ResumeToken: 'ResumeToken',
  Kind: 'Kind',
  ModifiedNs: 'ModifiedNs',
} as const;

/** Between name and size in an Item of FileList. Specification 3.6. */
export const FILE_SIZE_SEPARATOR = '\u0001';
