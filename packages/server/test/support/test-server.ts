import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type LogFields, SluiceServer, type SluiceServerOptions, UserStore } from '@sluice/server';
import { RawPeer } from '@sluice/testkit';
import { encodePacket, type Field, requestText } from '@sluice/wire';

export const ADMIN_DIGEST = '21232f297a57a5a743894a0e4a801fc3';

// One for all tests: making a verifier costs a run of scrypt.
const users = UserStore.fromPairs([{ name: 'admin', password: 'admin' }]);

export interface LoggedEvent {
  readonly level: string;
  readonly event: string;
  readonly fields: LogFields;
}

/** A server on a free port of 127.0.0.1 over an empty directory, with the user admin, password admin. */
export class TestServer implements AsyncDisposable {
  readonly root: string;
  readonly server: SluiceServer;
  readonly events: LoggedEvent[];

  private constructor(root: string, server: SluiceServer, events: LoggedEvent[]) {
    this.root = root;
    this.server = server;
    this.events = events;
  }

  static async start(options: Partial<SluiceServerOptions> = {}): Promise<TestServer> {
    const root = await mkdtemp(path.join(os.tmpdir(), 'sluice-server-'));
    const events: LoggedEvent[] = [];
    const at =
      (level: string) =>
      (event: string, fields: LogFields = {}) =>
        void events.push({ level, event, fields });
    const log = { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug'), level: 'debug' as const };
    const server = await SluiceServer.start({ host: '127.0.0.1', port: 0, root, users: await users, log, ...options });
    return new TestServer(root, server, events);
  }

  get port(): number {
    return this.server.address.port;
  }

  path(...parts: string[]): string {
    return path.join(this.root, ...parts);
  }

  connect(): Promise<RawPeer> {
    return RawPeer.connect(this.port);
  }

  /** A connection that has chosen a protocol and logged in. */
  async login(flag: number, extra: Field[] = []): Promise<RawPeer> {
    const peer = await this.connect();
    await peer.send(Uint8Array.of(flag), login(extra));
    const { text } = await peer.nextPacket();
    if (!text.includes('Code=0')) throw new Error(`login failed: ${text}`);
    return peer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    await rm(this.root, { recursive: true, force: true });
  }
}

/** A request as it goes over the wire. */
export function request(command: string, fields: Field[] = [], data?: Uint8Array): Uint8Array {
  return encodePacket(requestText(command, fields), data);
}

export function login(extra: Field[] = []): Uint8Array {
  return request('Login', [['UserName', 'admin'], ['Password', ADMIN_DIGEST], ...extra]);
}

/** The text of a response, without its marker line, one `Key=Value` an element. */
export async function answer(peer: RawPeer): Promise<string[]> {
  const [marker, ...lines] = (await peer.nextPacket()).text.split('\r\n');
  if (marker !== '[Response]') throw new Error(`no response: ${marker}`);
  return lines;
}

/** Sends a request and waits for its answer. */
export async function ask(peer: RawPeer, command: string, fields: Field[] = [], data?: Uint8Array): Promise<string[]> {
  await peer.send(request(command, fields, data));
  return answer(peer);
}

/** Waits until something is true that becomes true by itself; fails after 10 s. */
export async function eventually(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
