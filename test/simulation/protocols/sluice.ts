import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type LeveledLog, type LogRecord, SluiceServer, UserStore } from '@sluice/server';
import type { PeerModel, SimulatedProtocol } from '@sluice/testkit';
import { LogReaderPeer } from './log-reader-peer.js';
import { PacketPeer, USER } from './packet-peer.js';

/** Nothing is stored in it: file work takes its time from threads, which no seed decides. */
const root = mkdtempSync(path.join(os.tmpdir(), 'sluice-simulation-'));
process.once('exit', () => rmSync(root, { recursive: true, force: true }));

/** Its first login runs in a thread; those after it are remembered. */
let users: Promise<UserStore> | undefined;

async function usersWithMemory(): Promise<UserStore> {
  const store = await UserStore.fromPairs([USER]);
  await store.authenticate(USER.name, USER.digest);
  return store;
}

/** The protocols of the server that touch no files: Throughput, Control, LogOutput; and the logins and features of all others. */
export const sluice: SimulatedProtocol = {
  name: 'sluice',
  begin: ({ random: chance }) => {
    const sinks = new Set<(record: LogRecord) => void>();
    let lines = 0;
    const say = (text: string): void => {
      const record: LogRecord = { seq: ++lines, time: new Date(0), level: 'info', event: text, fields: {} };
      for (const sink of [...sinks]) sink(record);
    };
    const log: LeveledLog = { level: 'info', error() {}, warn() {}, info() {}, debug() {} };
    return {
      listen: async (place) => {
        users ??= usersWithMemory();
        return await SluiceServer.start({
          ...place,
          random: () => chance.next(),
          root,
          users: await users,
          log,
          logStream: {
            journal: undefined,
            subscribe: (sink) => {
              sinks.add(sink);
              return () => void sinks.delete(sink);
            },
          },
          allowDigestLogin: true,
          openProtocols: ['log-output'],
          maxConnections: 6,
          maxWaiting: 4,
          idleTimeoutMs: 60_000,
        });
      },
      peer: (_index, random): PeerModel => (random.chance(0.3) ? new LogReaderPeer() : new PacketPeer(random)),
      actions: {
        'log a line': (random) => say(`line ${'x'.repeat(random.between(0, 200))}`),
        'flood the log': (random) => {
          for (let count = random.between(10, 300); count > 0; count--)
            say(`line ${'y'.repeat(random.between(0, 300))}`);
        },
      },
      check: () => {
        if (sinks.size > 0) throw new Error(`${sinks.size} readers of the log are left`);
      },
    };
  },
};
