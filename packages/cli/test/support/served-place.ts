import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { finished, runSluice, type SluiceResult, startSluice } from './sluice-process.js';

/** `sluice serve` with the user admin, and commands for it. */
export class ServedPlace implements AsyncDisposable {
  readonly #directory: string;
  readonly #child: ReturnType<typeof startSluice>;
  readonly url: string;
  readonly ended: Promise<SluiceResult>;

  private constructor(
    directory: string,
    child: ReturnType<typeof startSluice>,
    url: string,
    ended: Promise<SluiceResult>,
  ) {
    this.#directory = directory;
    this.#child = child;
    this.url = url;
    this.ended = ended;
  }

  static async open(options: readonly string[] = []): Promise<ServedPlace> {
    const directory = await mkdtemp(path.join(tmpdir(), 'sluice-operators-'));
    const args = ['serve', '--listen', '127.0.0.1:0', '--root', directory, '--user', 'admin:secret', ...options];
    const child = startSluice(args);
    const address = await new Promise<string>((resolve, reject) => {
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const match = /listening on (\S+)/.exec(text);
        if (match) resolve(match[1]!);
      });
      child.on('close', () => reject(new Error(`the server ended: ${text}`)));
    });
    return new ServedPlace(directory, child, `sluice://admin:secret@${address}/`, finished(child));
  }

  /** The directory that is served. */
  get root(): string {
    return this.#directory;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  sluice(args: readonly string[]): Promise<SluiceResult> {
    return runSluice(args, { env: { SLUICE_URL: this.url } });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
    await rm(this.#directory, { recursive: true, force: true });
  }
}
