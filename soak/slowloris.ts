import { setMaxListeners } from 'node:events';
import { Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { SluiceClient } from '@sluice/client';
import { Place } from './place.js';
import { run } from './server-program.js';

const FILE_BYTES = 1 << 20;
const UNDISTURBED_MS = 8000;
/** Connecting takes its time, and the server looks at deadlines once a second. */
const RAMP_SECONDS = 20;
const USUAL_DEADLINE_SECONDS = 30;
/** Whoever has to wait for a place, as others have them all, has his deadline when he gets it. */
const DEADLINES_IN_A_ROW = 2;
/** On a machine with few cores, attackers and server share them. */
const SLOWEST_PING = '10s';

export interface SlowlorisFigures {
  readonly mode: 'slowloris';
  readonly attackers: number;
  readonly clients: number;
  readonly attackSeconds: number;
  /** Both ways together, of all honest clients. */
  readonly undisturbedBytesPerSecond: number;
  readonly attackedBytesPerSecond: number;
  readonly sharePercent: number;
  readonly failedTransfers: number;
  /** As `sluice chaos attack` has it. */
  readonly attack: {
    readonly opened: number;
    readonly refused: number;
    readonly ended: number;
    readonly stillOpen: number;
  };
  readonly isPassed: boolean;
}

export interface SlowlorisOptions {
  readonly attackers: number;
  readonly clients: number;
  readonly deadlineSeconds: number | undefined;
  readonly minSharePercent: number;
}

/** So many slowloris connections from `sluice chaos attack`, a process of its own, while honest clients transfer from this one. */
export async function withstandSlowloris(options: SlowlorisOptions, signal: AbortSignal): Promise<SlowlorisFigures> {
  const { attackers, clients, deadlineSeconds, minSharePercent } = options;
  const deadlines =
    deadlineSeconds === undefined
      ? []
      : ['--login-timeout', `${deadlineSeconds}s`, '--frame-timeout', `${deadlineSeconds}s`];
  await using place = await Place.open(deadlines);
  const honest = new HonestClients(place, clients);
  try {
    await honest.start(signal);
    const undisturbedBytesPerSecond = await honest.rateOver(() => pause(UNDISTURBED_MS, undefined, { signal }));
    const ramp = Math.min(RAMP_SECONDS, 2 + Math.ceil(attackers / 500));
    const attackSeconds = (deadlineSeconds ?? USUAL_DEADLINE_SECONDS) * DEADLINES_IN_A_ROW + ramp;
    let attack = { opened: 0, refused: 0, ended: 0, stillOpen: attackers };
    const attackedBytesPerSecond = await honest.rateOver(async () => {
      attack = await attackWith(place, attackers, attackSeconds);
    });
    const sharePercent = Math.round((100 * attackedBytesPerSecond) / undisturbedBytesPerSecond);
    const { failed } = honest;
    const isPassed = attack.stillOpen === 0 && attack.opened > 0 && failed === 0 && sharePercent >= minSharePercent;
    return {
      mode: 'slowloris',
      attackers,
      clients,
      attackSeconds,
      undisturbedBytesPerSecond,
      attackedBytesPerSecond,
      sharePercent,
      failedTransfers: failed,
      attack,
      isPassed,
    };
  } finally {
    await honest.stop();
  }
}

async function attackWith(place: Place, attackers: number, seconds: number): Promise<SlowlorisFigures['attack']> {
  const { port, pid } = place.server;
  const { output, errors } = await run([
    ...['chaos', 'attack', `127.0.0.1:${port}`, '--json', '--suite', 'slowloris', '--probe', 'sluice-ping'],
    ...['--connections', String(attackers), '--seconds', String(seconds), '--sources', '200', '--pid', String(pid)],
    ...['--must-end', '100', '--probe-timeout', SLOWEST_PING, '--baseline', '500ms'],
  ]);
  const results = output.split('\n').filter((line) => line.includes('"event":"result"'));
  if (results[0] === undefined) throw new Error(`the attack could not be played: ${errors}`);
  return (JSON.parse(results[0]) as { attackers: SlowlorisFigures['attack'] }).attackers;
}

/** Each one has connections of its own, and moves a file up and down as fast as it goes. */
class HonestClients {
  failed = 0;
  readonly #place: Place;
  readonly #count: number;
  readonly #clients: SluiceClient[] = [];
  readonly #end = new AbortController();
  #work: Promise<unknown> = Promise.resolve();
  #bytes = 0;

  constructor(place: Place, count: number) {
    this.#place = place;
    this.#count = count;
    setMaxListeners(0, this.#end.signal); // one for each of them
  }

  async start(signal: AbortSignal): Promise<void> {
    for (let i = 0; i < this.#count; i++) {
      signal.throwIfAborted();
      this.#clients.push(await this.#place.client());
    }
    this.#work = Promise.all(this.#clients.map((client, i) => this.#transfer(client, `honest-${i}`)));
  }

  /** Bytes a second while something goes on. */
  async rateOver(happening: () => Promise<unknown>): Promise<number> {
    const [bytes, startedMs] = [this.#bytes, performance.now()];
    await happening();
    return ((this.#bytes - bytes) * 1000) / (performance.now() - startedMs);
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#work;
    for (const client of this.#clients) await client.close();
  }

  async #transfer(client: SluiceClient, name: string): Promise<void> {
    const { signal } = this.#end;
    const data = Buffer.alloc(FILE_BYTES, name);
    while (!signal.aborted) {
      try {
        await client.upload(once(data), name, { signal, durability: 'memory' });
        this.#bytes += FILE_BYTES;
        await client.download(name, this.#sink(), { signal });
      } catch {
        if (!signal.aborted) this.failed += 1;
      }
    }
  }

  #sink(): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.#bytes += chunk.length;
        done();
      },
    });
  }
}

async function* once(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data;
}
