import { Command, ProtocolFlag } from '@sluice/wire';
import type { AnyFuzzTarget } from '../fuzz-target.js';
import { commandText } from './command-text.js';
import { firstBytes } from './first-bytes.js';
import { framing } from './framing.js';
import { messages } from './messages.js';
import { protocolTarget } from './protocol.js';
import { proxyHeader } from './proxy-header.js';
import { sdk } from './sdk.js';

const DIRECTORIES = [
  'Dir',
  'CreateDir',
  'DeleteDir',
  'FileList',
  'DeleteFile',
  'Rename',
  'StatFile',
  'VerifyFile',
  'Digest',
  'ListTree',
  'Active',
  'Login',
];

const UPLOAD = [
  ...DIRECTORIES,
  ...[
    'Upload',
    'Data',
    'Data',
    'Eof',
    'BeginUpload',
    'JoinUpload',
    'UploadChunks',
    'PlaceData',
    'EndChunk',
    'UseTarget',
  ],
  ...['CommitUpload', 'AbortUpload', 'ListPartials', 'DropPartial', 'PutFiles'],
];
const DOWNLOAD = [...DIRECTORIES, 'Download', 'Download', 'GetFiles', 'Data', 'SendFile'];
const REMOTE_STREAM = [
  ...[
    'Active',
    'Login',
    'FileExists',
    'OpenFile',
    'OpenFile',
    'SetSize',
    'GetSize',
    'SetPosition',
    'GetPosition',
    'Read',
    'Write',
  ],
  ...['Seek', 'CloseFile', 'ReadAt', 'WriteAt', 'Sync', 'Stat', 'ResumeFile'],
];
const CONTROL = [
  ...['Active', 'GetClients', 'ListClients', 'WatchClients', 'Kick', 'Stats', 'Drain', 'ReadOnly', 'LogLevel'],
  ...['Reload', 'FollowLog'],
];

/** What `npm run fuzz` runs, by name. */
export const TARGETS: ReadonlyMap<string, AnyFuzzTarget> = new Map(
  [
    framing,
    commandText,
    messages,
    proxyHeader,
    firstBytes(),
    protocolTarget('upload', ProtocolFlag.Upload, UPLOAD),
    protocolTarget('download', ProtocolFlag.Download, DOWNLOAD),
    protocolTarget('remote-stream', ProtocolFlag.RemoteStream, REMOTE_STREAM),
    protocolTarget('throughput', ProtocolFlag.Throughput, [
      'CyclePacket',
      'CyclePacket',
      'Flood',
      'Data',
      'Active',
      'Login',
    ]),
    protocolTarget('control', ProtocolFlag.Control, CONTROL),
    protocolTarget('log-output', ProtocolFlag.LogOutput, Object.values(Command)),
    sdk(),
  ].map((target) => [target.name, target as AnyFuzzTarget]),
);
