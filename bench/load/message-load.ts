// The load of messages in Node, for machines without a C compiler: the same arguments, checks and output as message-load.c. It needs more
// CPU than the C program, so it may be what limits the figures; compare its cores with the server's.
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { encodeCyclePacketRequest, encodeCyclePacketResponse, encodePacket } from '@sluice/wire';

const THROUGHPUT_FLAG = 5;
const OPENING = 128;
const LOOPBACK = 127 * 2 ** 24 + 1;

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    data: { type: 'string' },
    messages: { type: 'string' },
    connections: { type: 'string', default: '1' },
    depth: { type: 'string', default: '1' },
    'under-way': { type: 'string', default: '0' },
    sources: { type: 'string', default: '1' },
    'deadline-seconds': { type: 'string', default: '120' },
    gate: { type: 'boolean', default: false },
  },
});
const count = Number(values.connections);
const depth = Number(values.depth);
const underWay = Number(values['under-way']);
const data = new Uint8Array(Number(values.data)).fill(1);
const request = Buffer.from(encodePacket(encodeCyclePacketRequest(1), data));
const answer = Buffer.from(encodePacket(encodeCyclePacketResponse('CyclePacket', 1), data));
const requests = Buffer.concat(Array.from({ length: depth }, () => request));

const latenciesUs: number[] = [];
let leftToAsk = 0;
let leftToAnswer = 0;
let allAnswered: () => void = () => {};

class MessageConnection {
  readonly #socket: Socket;
  readonly #opened: () => void;
  #isOpen = false;
  #answerAt = 0;
  #askedMs = 0;

  constructor(index: number, opened: () => void) {
    const address = LOOPBACK + (index % Number(values.sources));
    const localAddress = [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
    this.#opened = opened;
    this.#socket = connect({ host: '127.0.0.1', port: Number(values.port), localAddress, noDelay: true });
    this.#socket.on('connect', () => {
      this.#socket.write(Buffer.of(THROUGHPUT_FLAG));
      this.ask(1);
    });
    this.#socket.on('data', (chunk) => this.#onData(chunk));
    this.#socket.on('error', fail);
    this.#socket.on('close', () => fail(new Error('a connection was closed by the server')));
  }

  ask(messages: number): void {
    this.#askedMs = performance.now();
    this.#socket.write(requests.subarray(0, messages * request.length));
  }

  #onData(chunk: Buffer): void {
    let complete = 0;
    for (let at = 0; at < chunk.length; ) {
      const length = Math.min(answer.length - this.#answerAt, chunk.length - at);
      if (answer.compare(chunk, at, at + length, this.#answerAt, this.#answerAt + length) !== 0) {
        fail(new Error('an answer is not as expected'));
      }
      at += length;
      this.#answerAt += length;
      if (this.#answerAt < answer.length) break;
      this.#answerAt = 0;
      complete += 1;
    }
    if (complete > 0) this.#onAnswers(complete);
  }

  #onAnswers(complete: number): void {
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#opened();
      return;
    }
    if (leftToAnswer < complete) fail(new Error('more answers than requests'));
    leftToAnswer -= complete;
    if (depth === 1) latenciesUs.push((performance.now() - this.#askedMs) * 1000);
    if (leftToAnswer === 0) {
      allAnswered();
    } else if (underWay > 0) {
      idle.push(this);
      askNext();
    } else {
      askFor(this, complete);
    }
  }
}

/** Those that wait for their turn, at `idle[nextIdle, ...)`. */
let idle: MessageConnection[] = [];
let nextIdle = 0;

function askNext(): void {
  if (leftToAsk === 0 || nextIdle === idle.length) return;
  leftToAsk -= 1;
  const connection = idle[nextIdle]!;
  nextIdle += 1;
  if (nextIdle > count) {
    idle = idle.slice(nextIdle);
    nextIdle = 0;
  }
  connection.ask(1);
}

function askFor(connection: MessageConnection, wanted: number): void {
  const messages = Math.min(wanted, leftToAsk);
  leftToAsk -= messages;
  if (messages > 0) connection.ask(messages);
}

async function openAll(): Promise<MessageConnection[]> {
  const connections: MessageConnection[] = [];
  await new Promise<void>((resolve) => {
    let opened = 0;
    const openNext = () => {
      if (connections.length === count) return;
      const made = new MessageConnection(connections.length, () => {
        opened += 1;
        if (opened === count) resolve();
        else openNext();
      });
      connections.push(made);
    };
    for (let i = 0; i < OPENING; i += 1) openNext();
  });
  return connections;
}

function percentileUs(part: number): number {
  const sorted = latenciesUs.sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function fail(error: Error): never {
  console.error(`message-load: ${error.message}`);
  process.exit(1);
}

setTimeout(() => fail(new Error('deadline passed')), Number(values['deadline-seconds']) * 1000).unref();
process.on('uncaughtException', fail);
const setupStartMs = performance.now();
const setupCpuStart = cpuSeconds();
const connections = await openAll();
const setupSeconds = (performance.now() - setupStartMs) / 1000;
const setupCpuSeconds = cpuSeconds() - setupCpuStart;
console.log('ready');
if (values.gate) await new Promise((resolve) => process.stdin.once('data', resolve));
process.stdin.destroy();

const messages = Number(values.messages);
const startMs = performance.now();
const cpuStart = cpuSeconds();
leftToAsk = messages;
leftToAnswer = messages;
await new Promise<void>((resolve) => {
  allAnswered = resolve;
  if (underWay > 0) {
    idle = [...connections];
    for (let i = 0; i < underWay; i += 1) askNext();
  } else {
    for (const connection of connections) askFor(connection, depth);
  }
});
const seconds = (performance.now() - startMs) / 1000;
const report = { messages, seconds, cpuSeconds: cpuSeconds() - cpuStart, setupSeconds, setupCpuSeconds };
console.log(JSON.stringify({ ...report, p50Us: percentileUs(0.5), p99Us: percentileUs(0.99) }));
process.exit(0);
