import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { CONTENT_NAME, type Contender, type RunningServer } from './contenders/contender.js';
import { Link } from './link.js';
import { largestFile, Place } from './place.js';
import { type Ended, Program } from './program.js';

/** A client whose link is gone has so long to notice, and then so long to come to an end. */
const BROKEN_CLIENT_DEADLINE_MS = 8_000;
const CLIENT_DEADLINE_MS = 45_000;
const SETTLE_EVERY_MS = 150;
const SETTLE_POLLS = 20;
/** What is smaller is a journal, a key, a log: not the bytes of the transfer. */
const MIN_PARTIAL_BYTES = 2 << 20;

/** One contender before one fault: a server, a link to it, a source, and the attempts of the client. */
export class Trial implements AsyncDisposable {
  readonly place = new Place();
  readonly contender: Contender;
  /** What is to arrive. */
  readonly source: string;
  /** The client's file: the source of an upload, the target of a download. */
  readonly localFile: string;
  #server: RunningServer | undefined;
  #link: Link | undefined;

  /** @param content a file that is copied */
  constructor(contender: Contender, content: string) {
    this.contender = contender;
    this.localFile = path.join(this.place.client, CONTENT_NAME);
    this.source = path.join(this.isUpload ? this.place.client : this.place.root, CONTENT_NAME);
    copyFileSync(content, this.source);
  }

  get isUpload(): boolean {
    return this.contender.direction === 'upload';
  }

  /** Where the bytes go. */
  get receivingFolder(): string {
    return this.isUpload ? this.place.root : this.place.client;
  }

  get link(): Link {
    if (!this.#link) throw new Error('no server has been started');
    return this.#link;
  }

  /** Starts the server, again after it was killed; clients find it at the same port. */
  async startServer(): Promise<void> {
    this.#server = await this.contender.startServer(this.place);
    this.#link ??= await Link.to(this.#server.port);
    this.#link.leadTo(this.#server.port);
  }

  async killServer(): Promise<void> {
    await this.#server?.kill();
    this.#server = undefined;
  }

  get serverPort(): number {
    if (!this.#server) throw new Error('no server is running');
    return this.#server.port;
  }

  /** Starts an attempt of the client. */
  attempt(kind: 'first' | 'to break' | 'resume', port = this.link.port, localFile = this.localFile): Program {
    const attempt = { port, localFile, isResume: kind === 'resume', isToBreak: kind === 'to break', place: this.place };
    const { command, args, env } = this.contender.client(attempt);
    const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_'));
    return new Program(command, args, {
      cwd: path.dirname(localFile),
      env: { ...Object.fromEntries(environment), ...env },
    });
  }

  /** An attempt to its end. @throws when it does not end */
  async runToEnd(kind: 'first' | 'resume'): Promise<Ended> {
    return this.attempt(kind).endsWithin(CLIENT_DEADLINE_MS);
  }

  /** Begins a transfer, and stops it when so many bytes have passed: by a kill of the server, or of the link, which lets both sides tidy up. */
  async breakAfter(bytes: number, what: 'server' | 'link'): Promise<void> {
    await this.startServer();
    const held = this.link.holdAfter(bytes);
    const client = this.attempt('to break');
    const early = client.ended.then(({ code, output }) => {
      throw new Error(`the transfer has ended before it was broken, with ${code}: ${output}`);
    });
    await Promise.race([held, early]);
    early.catch(() => {}); // it is going to end
    await this.#settled();
    if (what === 'server') await this.killServer();
    this.link.cut();
    await client.endsWithin(BROKEN_CLIENT_DEADLINE_MS);
    await this.#settled();
  }

  /** The bytes that a broken transfer has left; `undefined` when it has left none. */
  partial(): string | undefined {
    return largestFile(this.receivingFolder, MIN_PARTIAL_BYTES);
  }

  /** What has arrived; `undefined` when nothing has. */
  received(): Buffer | undefined {
    const named = path.join(this.receivingFolder, CONTENT_NAME);
    const file = existsSync(named) ? named : largestFile(this.receivingFolder, 1);
    return file === undefined ? undefined : readFileSync(file);
  }

  /** Waits until what is received does not grow any more. */
  async #settled(): Promise<void> {
    let last = -1;
    for (let polls = 0; polls < SETTLE_POLLS; polls += 1) {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_EVERY_MS));
      const file = this.partial();
      const bytes = file === undefined ? 0 : (statSync(file, { throwIfNoEntry: false })?.blocks ?? 0);
      if (bytes === last) return;
      last = bytes;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killServer();
    await this.#link?.[Symbol.asyncDispose]();
    this.place[Symbol.dispose]();
  }
}
