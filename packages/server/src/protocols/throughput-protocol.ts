import {
  decodeCyclePacketRequest,
  encodeCyclePacketResponse,
  MAX_SENT_PACKET_LENGTH,
  ProtocolFlag,
  RequestError,
  ResultCode,
  responseText,
} from '@sluice/wire';
import { answerFor } from '../answers.js';
import type { CommandHandler, PacketProtocol, ProtocolHandler, Request, Session } from '../protocol.js';

/** The Throughput protocol. Specification 9. */
export function throughputProtocol(): PacketProtocol {
  return {
    kind: 'packets',
    name: 'Throughput',
    flag: ProtocolFlag.Throughput,
    needsLogin: false,
    features: [],
    open: (session) => new ThroughputHandler(session),
  };
}

class ThroughputHandler implements ProtocolHandler {
  readonly commands: ReadonlyMap<string, CommandHandler> = new Map([
    ['cyclepacket', (request) => this.#cycle(request)],
  ]);
  readonly takesData: ReadonlySet<string> = new Set(['cyclepacket']);
  readonly isBusy = false;
  readonly isSending = false;
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  onClosed(): void {}

  /** The data comes back whatever the Count says. */
  #cycle({ command, text, data }: Request): void {
    const answer = answerTo(command, () => encodeCyclePacketResponse(command, decodeCyclePacketRequest(text)));
    if (answer.length + data.length + 4 > MAX_SENT_PACKET_LENGTH)
      throw new RequestError(ResultCode.ParameterError, 'the answer would be larger than a packet can be');
    this.#session.reply(answer, data);
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
