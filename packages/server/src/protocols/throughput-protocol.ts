import {
  Command,
  dataResponseText,
  decodeCyclePacketRequest,
  decodeFloodRequest,
  encodeCyclePacketResponse,
  encodeFloodResponse,
  Feature,
  FloodPackets,
  type FloodRequest,
  fitsPlainCyclePacket,
  isPlainCyclePacketRequest,
  Key,
  MAX_SENT_PACKET_LENGTH,
  ProtocolFlag,
  plainCyclePacketResponseBytes,
  RequestError,
  ResultCode,
  responseText,
  type TransferRecord,
  writePlainCyclePacketResponse,
} from '@sluice/wire';
import { answerFor } from '../answers.js';
import type { Coordinator } from '../coordination/coordinator.js';
import { type FloodClock, FloodPlaces, FloodsBusyError } from '../flood-places.js';
import type { CommandHandler, PacketProtocol, PlainCommand, ProtocolHandler, Request, Session } from '../protocol.js';
import type { SpeedLimits } from '../speed-limits.js';
import { Flood } from './flood.js';

/** Packets that are sent at once: what one write carries. */
const PACKETS_AT_ONCE = 4;

const PLAIN_CYCLE: PlainCommand = {
  name: Command.CyclePacket,
  matches: (source, start, textEnd, dataBytes) =>
    isPlainCyclePacketRequest(source, start, textEnd) && fitsPlainCyclePacket(dataBytes),
};

/** Answers plain requests where the answer leaves from; one for all connections, which take turns: no closure is made for an answer. */
class PlainAnswer {
  #source: Uint8Array = new Uint8Array(0);
  #start = 0;
  #textEnd = 0;
  #end = 0;

  send(session: Session, source: Uint8Array, start: number, textEnd: number, end: number): void {
    this.#source = source;
    this.#start = start;
    this.#textEnd = textEnd;
    this.#end = end;
    session.replyInPlace(plainCyclePacketResponseBytes(end - textEnd), this.#fill, Command.CyclePacket);
  }

  readonly #fill = (target: Uint8Array, at: number): number =>
    writePlainCyclePacketResponse(target, at, this.#source, this.#start, this.#textEnd, this.#end);
}

const plainAnswer = new PlainAnswer();

/** What all connections of the protocol share. */
interface Floods {
  readonly places: FloodPlaces;
  readonly packets: FloodPackets;
  readonly clock: FloodClock;
}

/** The Throughput protocol. Specification 9; the extension: docs/protocol.md, section 17.11. */
export function throughputProtocol(limits: SpeedLimits, clock: FloodClock, coordinator?: Coordinator): PacketProtocol {
  const packets = new FloodPackets(dataResponseText(), PACKETS_AT_ONCE);
  const floods: Floods = { places: new FloodPlaces(limits, clock, coordinator), packets, clock };
  return {
    kind: 'packets',
    name: 'Throughput',
    flag: ProtocolFlag.Throughput,
    needsLogin: false,
    features: limits.maxFloods > 0 ? [Feature.Flood] : [],
    plain: PLAIN_CYCLE,
    open: (session) => new ThroughputHandler(session, floods),
  };
}

const TAKES_DATA: ReadonlySet<string> = new Set(['cyclepacket']);

class ThroughputHandler implements ProtocolHandler {
  readonly takesData = TAKES_DATA;
  readonly isBusy = false;
  /** Made by the first request that is not plain: most connections have none. */
  #commands: ReadonlyMap<string, CommandHandler> | undefined;
  readonly #session: Session;
  readonly #floods: Floods;
  #flood: Flood | undefined;

  constructor(session: Session, floods: Floods) {
    this.#session = session;
    this.#floods = floods;
  }

  get commands(): ReadonlyMap<string, CommandHandler> {
    this.#commands ??= new Map<string, CommandHandler>([
      ['cyclepacket', (request) => this.#cycle(request)],
      ...(this.#floods.places.limits.maxFloods > 0
        ? [['flood', (request: Request) => this.#begin(request)] satisfies [string, CommandHandler]]
        : []),
    ]);
    return this.#commands;
  }

  get isSending(): boolean {
    return this.#flood?.isSending ?? false;
  }

  get transfer(): TransferRecord | undefined {
    return this.#flood?.record;
  }

  get onData(): ProtocolHandler['onData'] {
    return this.#flood?.takesData ? this.#count : undefined;
  }

  #count(_: Uint8Array, start: number, end: number): void {
    this.#flood?.count(end - start);
  }

  onPlain(source: Uint8Array, start: number, textEnd: number, end: number): void {
    this.#flood?.noteRequest();
    plainAnswer.send(this.#session, source, start, textEnd, end);
  }

  onBatchEnd(): void | Promise<void> {
    return this.#flood?.paced();
  }

  /** Nothing is lost when a measurement is shorter. */
  onShutdown(): void {
    if (!this.#flood) return;
    this.#flood.end();
    this.#session.close('shutdown');
  }

  onClosed(): void {
    this.#flood?.close();
  }

  /** The data comes back whatever the Count says. */
  #cycle({ command, text, data }: Request): void {
    this.#flood?.noteRequest();
    const answer = answerTo(command, () => encodeCyclePacketResponse(command, decodeCyclePacketRequest(text)));
    if (answer.length + data.length + 4 > MAX_SENT_PACKET_LENGTH)
      throw new RequestError(ResultCode.ParameterError, 'the answer would be larger than a packet can be');
    this.#session.reply(answer, data);
  }

  #begin({ command, text }: Request): void | Promise<void> {
    this.#flood?.noteRequest();
    const request = decodeFloodRequest(text);
    const { places } = this.#floods;
    if (this.#flood?.isRunning) throw new RequestError(ResultCode.ParameterError, 'a flood goes on already');
    this.#flood?.close();
    const durationMs = Math.min(request.durationMs, places.limits.maxMs);
    const asked = places.ask(this.#session.remoteAddress, durationMs);
    if (!asked) return this.#run(command, request, durationMs);
    return asked.then(
      (onFree) => {
        if (this.#session.gone.aborted) onFree();
        else this.#run(command, request, durationMs, onFree);
      },
      (error: unknown) => this.#refuse(command, error),
    );
  }

  #run(command: string, request: FloodRequest, durationMs: number, onFree?: () => void): void {
    const { places, packets, clock } = this.#floods;
    try {
      const place = places.take(this.#session.remoteAddress, durationMs, onFree);
      const { rate } = places;
      const { direction } = request;
      this.#session.log.info('speed measurement begins', { direction, ms: durationMs });
      this.#session.reply(encodeFloodResponse(command, { durationMs, rate }));
      this.#flood = new Flood({ session: this.#session, request, durationMs, rate, place, packets, clock });
      this.#flood.run();
    } catch (error) {
      if (error instanceof FloodsBusyError) onFree?.();
      this.#refuse(command, error);
    }
  }

  #refuse(command: string, error: unknown): void {
    if (!(error instanceof FloodsBusyError)) throw error;
    this.#session.refuse(command, error, [[Key.RetryAfterMs, error.retryAfterMs]]);
  }
}

function answerTo(command: string, encode: () => Uint8Array): Uint8Array {
  try {
    return encode();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    const { code, message } = answerFor(error);
    return responseText(command, code, [], message);
  }
}
