import { asciiFold, Command } from '@sluice/wire';
import { Histogram } from './histogram.js';

/** Names of commands as the protocol spells them, by the name without case: what a peer makes up is no name. */
const spelling = new Map<string, string>(Object.values(Command).map((name) => [asciiFold(name), name]));

const OTHER = 'other';

/** What a command is called where peers must not be able to make names up. @param name in lower case */
export function commandLabel(name: string): string {
  return spelling.get(name) ?? OTHER;
}

/** What went over the connections of one protocol that are gone, and how long its requests took. */
export class ProtocolTraffic {
  receivedFrames = 0;
  sentFrames = 0;
  /** Answers that told of a failure, by their code. */
  readonly failures = new Map<number, number>();
  /** Times of handling, by the name of the command. */
  readonly times = new Map<string, Histogram>();
  readonly #byFoldedName = new Map<string, Histogram>();

  /** @param name of a command, in lower case */
  timesOf(name: string): Histogram {
    return this.#byFoldedName.get(name) ?? this.#begin(name);
  }

  countFailure(code: number): void {
    this.failures.set(code, (this.failures.get(code) ?? 0) + 1);
  }

  #begin(name: string): Histogram {
    const label = commandLabel(name);
    let histogram = this.times.get(label);
    if (!histogram) {
      histogram = new Histogram();
      this.times.set(label, histogram);
    }
    if (label !== OTHER) this.#byFoldedName.set(name, histogram);
    return histogram;
  }
}

/** The traffic of all protocols. */
export class Traffic {
  /** By the name of the protocol. */
  readonly protocols = new Map<string, ProtocolTraffic>();

  of(protocol: string): ProtocolTraffic {
    let traffic = this.protocols.get(protocol);
    if (!traffic) {
      traffic = new ProtocolTraffic();
      this.protocols.set(protocol, traffic);
    }
    return traffic;
  }
}
