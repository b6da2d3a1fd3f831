import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { ClientError, type SluiceClient } from '@sluice/client';
import type { Invocation } from '../command.js';
import { usageError } from '../command-error.js';
import type { catOptions } from '../commands/cat.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { isInUse, isMissing } from '../remote-answer.js';
import { ServerConnections } from '../server-connections.js';
import { messageLine } from '../terminal/message-line.js';
import { stderr, stdout } from '../terminal/standard-streams.js';
import { fileOperand, openingFailure } from './file-operand.js';

/** Time between two looks at a file that is followed, in milliseconds. */
const LOOK_EVERY_MS = 500;

/** `sluice cat`. */
export async function cat({ operands, options, given }: Invocation<typeof catOptions>): Promise<number> {
  const { endpoint, path } = fileOperand('cat', operands);
  if (given.has('tail') && given.has('offset')) throw usageError('begin at --offset or at --tail, not at both');
  using interruption = new Interruption('interrupted');
  const { signal } = interruption;
  await using servers = new ServerConnections({ values: options, signal });
  const client = await servers.to(endpoint);
  const output = new FileOutput(client, path, options.length, signal);
  try {
    const { offset, tail } = options;
    await output.copyFrom((size) => (tail === undefined ? offset : Math.max(0, size - tail)));
  } catch (error) {
    if (!options.follow || !hasChanged(error)) throw await openingFailure(error, client, path, signal);
  }
  if (options.follow) await output.follow();
  return ExitCode.Done;
}

/** Brings a file to standard output, as far as it has come. */
class FileOutput {
  readonly #client: SluiceClient;
  readonly #path: string;
  readonly #signal: AbortSignal;
  /** Where the next byte comes from. */
  #position = 0;
  #leftBytes: number;
  /** What was last told about the file, so that it is not told again. */
  #told = '';

  constructor(client: SluiceClient, path: string, length: number | undefined, signal: AbortSignal) {
    this.#client = client;
    this.#path = path;
    this.#leftBytes = length ?? Number.POSITIVE_INFINITY;
    this.#signal = signal;
  }

  /** Writes everything from a place on that there is now. @param start chooses the place, when the size is known */
  async copyFrom(start: (size: number) => number): Promise<void> {
    const signal = this.#signal;
    // Not kept: when the reader of standard output goes away, nothing stays open on the server.
    await using file = await this.#client.openRemoteFile(this.#path, { keepMs: 0, signal });
    const { size } = await file.stat({ signal });
    this.#position = start(size);
    const range = { offset: this.#position, ...(Number.isFinite(this.#leftBytes) && { length: this.#leftBytes }) };
    for await (const chunk of file.readable({ ...range, signal })) {
      this.#position += chunk.length;
      this.#leftBytes -= chunk.length;
      if (!stdout.write(chunk)) await once(stdout, 'drain', { signal });
    }
  }

  /** Writes what is added, until as much as was wanted has come. */
  async follow(): Promise<void> {
    while (this.#leftBytes > 0) {
      await this.#pause();
      try {
        const { size } = await this.#client.stat(this.#path, { signal: this.#signal });
        if (size < this.#position) {
          this.#tell('has become shorter: it is begun again');
          this.#position = 0;
        }
        if (size > this.#position) await this.copyFrom(() => this.#position);
        this.#told = '';
      } catch (error) {
        this.#signal.throwIfAborted();
        if (isMissing(error)) this.#tell('is not there any more: waiting for it');
        else if (!isInUse(error) && !hasChanged(error)) throw error;
      }
    }
  }

  async #pause(): Promise<void> {
    try {
      await pause(LOOK_EVERY_MS, undefined, { signal: this.#signal });
    } catch {
      this.#signal.throwIfAborted();
    }
  }

  #tell(what: string): void {
    if (this.#told !== what) stderr.write(`${messageLine(`${this.#path} ${what}`)}\n`);
    this.#told = what;
  }
}

/** One that is followed may change while the link is broken: that is what it is followed for. */
function hasChanged(error: unknown): boolean {
  return error instanceof ClientError && error.code === 'ERR_SOURCE_CHANGED';
}
