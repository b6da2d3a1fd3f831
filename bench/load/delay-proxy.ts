import net from 'node:net';
import { parseArgs } from 'node:util';

/** Time between two looks at what is due, in milliseconds. */
const TICK_MS = 1;

/**
 * A proxy that lets each byte wait on its way, in both directions, and holds no more than a window of each direction of a connection: a link of
 * some length, as one process. `delay-proxy --target PORT --delay MS --window BYTES` prints `listening on 127.0.0.1:PORT`.
 */
const { values } = parseArgs({
  options: { target: { type: 'string' }, delay: { type: 'string' }, window: { type: 'string' } },
});
const target = Number(values.target);
const delayMs = Number(values.delay);
const windowBytes = Number(values.window);

/** One direction of a connection: what has come and is not due yet. */
class DelayedFlow {
  readonly #from: net.Socket;
  readonly #to: net.Socket;
  readonly #waiting: { readonly dueMs: number; readonly bytes: Buffer | undefined }[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: net.Socket, to: net.Socket) {
    this.#from = from;
    this.#to = to;
    from.on('data', (bytes: Buffer) => this.#add(bytes));
    from.on('end', () => this.#add(undefined));
    from.on('error', () => {});
    from.on('close', (hadError) => {
      if (hadError) to.destroy();
    });
  }

  /** @param bytes `undefined` for the end */
  #add(bytes: Buffer | undefined): void {
    this.#waiting.push({ dueMs: performance.now() + delayMs, bytes });
    this.#bytes += bytes?.length ?? 0;
    if (this.#bytes >= windowBytes) this.#from.pause();
    if (this.#timer === undefined) this.#timer = setTimeout(this.#pass, Math.max(TICK_MS, delayMs));
  }

  readonly #pass = (): void => {
    const nowMs = performance.now();
    let count = 0;
    this.#to.cork();
    for (const { dueMs, bytes } of this.#waiting) {
      if (dueMs > nowMs) break;
      count += 1;
      if (!bytes) this.#to.end();
      else this.#to.write(bytes, () => this.#taken(bytes.length));
    }
    this.#to.uncork();
    this.#waiting.splice(0, count);
    const next = this.#waiting[0];
    this.#timer = next && setTimeout(this.#pass, Math.max(TICK_MS, next.dueMs - nowMs));
  };

  #taken(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes < windowBytes) this.#from.resume();
  }
}

const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const upstream = net.connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  new DelayedFlow(client, upstream);
  new DelayedFlow(upstream, client);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on 127.0.0.1:${(server.address() as net.AddressInfo).port}\n`);
});
process.on('SIGTERM', () => process.exit(0));
