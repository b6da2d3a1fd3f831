import assert from 'node:assert/strict';
import { LengthFieldDecoder } from '@sluice/framing';
import type { PeerModel, RandomSource } from '@sluice/testkit';
import {
  commandTextEnd,
  encodePacket,
  type Field,
  PACKET_HEAD_BYTES,
  ProtocolFlag,
  packetLayout,
  requestText,
} from '@sluice/wire';

/** An answer that is awaited: its command, and what it must hold if that is known. */
interface Awaited {
  readonly command: string;
  readonly holds?: string;
  readonly data?: Uint8Array;
}

/** Who peers log in as. */
export const USER = { name: 'admin', password: 'admin', digest: '21232f297a57a5a743894a0e4a801fc3' } as const;

/** A client of a framed protocol: one answer for each request, in order. */
export class PacketPeer implements PeerModel {
  readonly #flag: number;
  readonly #awaited: Awaited[] = [];
  #hasChosen = false;
  #isLoggedIn = false;
  readonly #decoder = new LengthFieldDecoder(packetLayout(), {
    onFrame: (source, start, end) => {
      this.#onPacket(Buffer.from(source.subarray(start, end)));
      return true;
    },
  });

  constructor(random: RandomSource) {
    this.#flag = random.pick([
      ProtocolFlag.Throughput,
      ProtocolFlag.Throughput,
      ProtocolFlag.Control,
      ProtocolFlag.Upload,
      ProtocolFlag.Download,
      ProtocolFlag.RemoteStream,
    ]);
  }

  next(random: RandomSource): Uint8Array {
    const parts: Uint8Array[] = [];
    if (!this.#hasChosen) parts.push(Uint8Array.of(this.#flag));
    this.#hasChosen = true;
    do parts.push(this.#request(random));
    while (random.chance(0.4));
    return Buffer.concat(parts);
  }

  onBytes(bytes: Uint8Array): void {
    this.#decoder.push(bytes, 0, bytes.length);
  }

  checkAnswered(): void {
    const [first] = this.#awaited;
    assert.equal(first, undefined, `${this.#awaited.length} requests are not answered, the first is ${first?.command}`);
  }

  #request(random: RandomSource): Uint8Array {
    if (this.#flag === ProtocolFlag.Throughput && random.chance(0.8)) {
      const count = random.between(-1000, 1000);
      const data = random.bytes(random.chance(0.2) ? random.between(1000, 20_000) : random.between(0, 500));
      return this.#ask('CyclePacket', [['Count', count]], { holds: `Count=${count + 1}`, data }, data);
    }
    if (!this.#isLoggedIn && random.chance(0.5)) {
      this.#isLoggedIn = true;
      const fields: Field[] = [
        ['UserName', USER.name],
        ['Password', USER.digest],
      ];
      return this.#ask('Login', fields, { holds: 'Code=0' });
    }
    const isOperator = this.#flag === ProtocolFlag.Control && this.#isLoggedIn;
    const command = random.pick(
      isOperator ? ['GetClients', 'ListClients', 'Active', 'Kick', 'Nonsense'] : ['Active', 'Nonsense'],
    );
    if (command === 'Kick') {
      const fields: Field[] = random.chance(0.5)
        ? [['Id', random.between(1, 9)]]
        : [
            ['DryRun', 'yes'],
            ['Idle', 1],
          ];
      return this.#ask(command, fields);
    }
    return this.#ask(command, []);
  }

  #ask(command: string, fields: Field[], answer: Omit<Awaited, 'command'> = {}, data?: Uint8Array): Uint8Array {
    this.#awaited.push({ command, ...answer });
    return encodePacket(requestText(command, fields), data);
  }

  #onPacket(packet: Buffer): void {
    const textEnd = commandTextEnd(packet, 0, packet.length);
    const [marker, ...lines] = packet.subarray(PACKET_HEAD_BYTES, textEnd).toString('utf8').split('\r\n');
    if (lines.includes('Command=') && lines.includes('Code=12')) {
      this.#awaited.length = 0; // there is no place for it, and no request was read
      return;
    }
    const awaited = this.#awaited.shift();
    assert.ok(awaited, `an answer that nobody asked for: ${lines.join(', ')}`);
    assert.equal(marker, '[Response]');
    assert.ok(lines.includes(`Command=${awaited.command}`), `an answer to ${awaited.command}: ${lines.join(', ')}`);
    if (awaited.holds) assert.ok(lines.includes(awaited.holds), `${awaited.holds}: ${lines.join(', ')}`);
    if (awaited.data) assert.ok(packet.subarray(textEnd).equals(awaited.data), `the data of ${awaited.command}`);
  }
}
