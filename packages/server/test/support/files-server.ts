import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { DescriptorBudget, MemoryCeiling, planDescriptors, planMemory, processMemory } from '@sluice/core';
import { HttpError, type UploadEvent, type UploadHooks } from '@sluice/server';
import { ManualClock } from '@sluice/testkit';
import { UploadHookRunner } from '../../../../packages/server/dist/hooks/upload-hook-runner.js';
import { FilesRoutes } from '../../../../packages/server/dist/http/files/files-route.js';
import { HttpListener } from '../../../../packages/server/dist/http/http-listener.js';
import type { Principal } from '../../../../packages/server/dist/principal.js';
import { ContentDigests } from '../../../../packages/server/dist/storage/content-digests.js';
import { DescriptorAccount } from '../../../../packages/server/dist/storage/descriptor-account.js';
import { DirectoryTree } from '../../../../packages/server/dist/storage/directory-tree.js';
import { ListingQueue } from '../../../../packages/server/dist/storage/listing-queue.js';
import { OpenFiles } from '../../../../packages/server/dist/storage/open-files.js';
import { StagingArea } from '../../../../packages/server/dist/storage/staging/staging-area.js';
import { StorageQuota } from '../../../../packages/server/dist/storage/storage-quota.js';
import { type AskOptions, askHttp, type HttpAnswer } from '../http/support/http-peer.js';
import type { LoggedEvent } from './test-server.js';

export const WEEK_MS = 7 * 86_400_000;

export interface FilesServerOptions {
  /** Of an earlier server, which is not there any more. @default a new one */
  readonly root?: string;
  readonly hooks?: readonly UploadHooks[];
  readonly keepFreeBytes?: number;
  /** Of anna. */
  readonly quotaBytes?: number;
  readonly origins?: readonly string[];
  readonly wallClock?: { nowMs: number };
  /** Bytes of the budget for requests that are taken already. @default nothing is counted */
  readonly takenWorkBytes?: number;
}

/** The files of a server over HTTP, for three users who share them and have no passwords: anna, ben, and viewer, who may only read. */
export class FilesServer implements AsyncDisposable {
  readonly root: string;
  readonly port: number;
  readonly clock: ManualClock;
  readonly events: LoggedEvent[];
  readonly mode: { isReadOnly: boolean };
  readonly openFiles: OpenFiles;
  readonly staging: StagingArea;
  readonly descriptors: DescriptorAccount;
  /** Ends all logins. */
  readonly endLogins: AbortController;
  readonly #close: () => Promise<void>;
  #former: FilesServer | undefined;
  #isKilled = false;

  private constructor(
    parts: Omit<FilesServer, 'crash' | 'ask' | 'url' | 'path' | typeof Symbol.asyncDispose>,
    close: () => Promise<void>,
  ) {
    this.root = parts.root;
    this.port = parts.port;
    this.clock = parts.clock;
    this.events = parts.events;
    this.mode = parts.mode;
    this.openFiles = parts.openFiles;
    this.staging = parts.staging;
    this.descriptors = parts.descriptors;
    this.endLogins = parts.endLogins;
    this.#close = close;
  }

  static async start(options: FilesServerOptions = {}): Promise<FilesServer> {
    const root = options.root ?? (await mkdtemp(path.join(os.tmpdir(), 'sluice-files-')));
    const clock = new ManualClock();
    const events: LoggedEvent[] = [];
    const at =
      (level: string) =>
      (event: string, fields = {}) =>
        void events.push({ level, event, fields });
    const log = { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
    const nowMs = (): number => options.wallClock?.nowMs ?? Date.now();
    const tree = await DirectoryTree.open(root);
    const digests = await ContentDigests.open((isMade) => tree.openOwn('digests', isMade));
    const staging = await StagingArea.open((isMade) => tree.openOwn('staging', isMade), {
      keepMs: WEEK_MS,
      floorBytes: options.keepFreeBytes ?? 0,
      clock,
      wallClockMs: nowMs,
      log,
    });
    const openFiles = new OpenFiles();
    const descriptors = new DescriptorAccount({ takeFiles: () => true, giveFiles: () => {} }, 1000);
    let ceiling: MemoryCeiling | undefined;
    if (options.takenWorkBytes !== undefined) {
      const plan = planMemory({ limitBytes: 256 << 20, connections: 100, hasTls: false, isGiven: true });
      ceiling = new MemoryCeiling(plan, clock, processMemory);
      const made = ceiling;
      clock.every(1000, () => made.check(0, () => {}));
      const other = { pauseForMemory: () => {}, resumeForMemory: () => {}, closeForMemory: () => {} };
      ceiling.work.open(other).add(options.takenWorkBytes);
    }
    const mode = { isReadOnly: false };
    const { origins = [] } = options;
    const routes = await FilesRoutes.open({
      files: {
        openFiles,
        descriptors,
        listings: new ListingQueue(),
        digests,
        staging,
        hooks: new UploadHookRunner(options.hooks ?? []),
      },
      durability: 'durable',
      mode,
      memory: ceiling,
      openTusDirectory: (isMade) => tree.openOwn('tus', isMade),
      keepPartialsMs: WEEK_MS,
      clock,
      wallClockMs: nowMs,
      log,
      isAllowedOrigin: (origin) => origins.includes(origin),
    });
    const quota =
      options.quotaBytes === undefined ? undefined : new StorageQuota(options.quotaBytes, () => tree.measure(), clock);
    const principals = new Map<string, Principal>([
      ['anna', { userName: 'anna', role: 'user', tree, quota }],
      ['ben', { userName: 'ben', role: 'user', tree, quota: undefined }],
      ['viewer', { userName: 'viewer', role: 'read-only', tree, quota: undefined }],
    ]);
    const endLogins = new AbortController();
    const listener = await HttpListener.listen({
      host: '127.0.0.1',
      port: 0,
      routes: routes.routes,
      upgrades: [],
      visitors: {
        visitorOf: ({ message }) => {
          const [, encoded] = /^Basic (.*)$/.exec(message.headers.authorization ?? '') ?? [];
          if (encoded === undefined) return undefined;
          const principal = principals.get(Buffer.from(encoded, 'base64').toString().split(':')[0] ?? '');
          if (!principal) throw new HttpError(401, 'wrong');
          return { principal, ended: endLogins.signal, isByCookie: false };
        },
        requireOrigin: () => {},
      },
      descriptors: new DescriptorBudget(planDescriptors({ maxConnections: 100, maxWaiting: 1 }, undefined)),
      clock,
      log,
    } as Parameters<typeof HttpListener.listen>[0]);
    const parts = {
      root,
      port: listener.address.port,
      clock,
      events,
      mode,
      openFiles,
      staging,
      descriptors,
      endLogins,
    };
    return new FilesServer(parts, async () => {
      listener.close();
      await routes.close();
      await staging.close();
      await digests.close();
      await tree.close();
    });
  }

  url(name: string): string {
    return `http://127.0.0.1:${this.port}${name}`;
  }

  path(...parts: string[]): string {
    return path.join(this.root, ...parts);
  }

  /** A request of anna, unless `user` says otherwise; `user` is empty for nobody. */
  ask(name: string, options: AskOptions & { readonly user?: string } = {}): Promise<HttpAnswer> {
    const { user = 'anna', headers, ...others } = options;
    const login = user === '' ? {} : { authorization: basic(user) };
    return askHttp(this.port, name, { ...others, headers: { ...login, ...headers } });
  }

  /** Another server over the same files, as if this one had been killed: nothing of it is put away. It must not be used any more. */
  async crash(options: Omit<FilesServerOptions, 'root'> = {}): Promise<FilesServer> {
    const next = await FilesServer.start({ ...options, root: this.root });
    next.#former = this;
    this.#isKilled = true;
    return next;
  }

  /** Of a server that was killed, what it has open is closed when nobody looks any more. */
  async #closeAll(): Promise<void> {
    await this.#close();
    const former = this.#former;
    if (former) await former.#closeAll().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isKilled) return;
    await this.#closeAll();
    await rm(this.root, { recursive: true, force: true });
  }
}

export function basic(user: string): string {
  return `Basic ${Buffer.from(`${user}:-`).toString('base64')}`;
}

/** Hooks that note what they are told. */
export function notingHooks(): { readonly events: UploadEvent[]; readonly hooks: UploadHooks } {
  const events: UploadEvent[] = [];
  const note = (event: UploadEvent): void => void events.push(event);
  return { events, hooks: { beforeUpload: note, afterCommit: note, onFailure: note } };
}
