import assert from 'node:assert/strict';
import { FramingError, LengthFieldDecoder } from '@sluice/framing';
import type { RandomSource } from '@sluice/testkit';
import {
  Command,
  type CommandText,
  commandTextEnd,
  decodeCommandText,
  Feature,
  PACKET_HEAD_BYTES,
  ProtocolFlag,
  packetLayout,
} from '@sluice/wire';
import type { FuzzTarget } from '../fuzz-target.js';
import { FuzzedServer } from './fuzzed-server.js';
import { encodeMessage, type Message, mutateMessage, randomMessage } from './random-message.js';

/** What a client says on one connection, from its first byte to its end. */
interface Conversation {
  readonly isLoggedIn: boolean;
  readonly messages: readonly Message[];
  /** So many bytes at the end are not said. */
  readonly missing: number;
}

const LOGIN: Message = {
  command: 'Login',
  fields: [
    ['UserName', 'admin'],
    ['Password', '21232f297a57a5a743894a0e4a801fc3'],
    ['Features', Object.values(Feature).join(',')],
  ],
  data: '',
};

/** Requests that have no answer, or one only together with others. */
const UNANSWERED = new Set<string>(
  [Command.Data, Command.PlaceData, Command.EndChunk, Command.UseTarget].map((name) => name.toLowerCase()),
);

const MAX_MESSAGES = 12;

/**
 * One of the server's protocols. Whatever is said: the server lives, every whole request has its answer or the connection ends, nothing outside the
 * root is touched, and no answer tells what is no peer's business.
 */
export function protocolTarget(name: string, flag: number, commands: readonly string[]): FuzzTarget<Conversation> {
  let server: FuzzedServer;
  const message = (random: RandomSource): Message => {
    const made = randomMessage(random, random.chance(0.95) ? commands : undefined);
    // Most commands want these.
    const usual = [
      ['DirName', random.pick(['', 'sub'])],
      ['FileName', random.pick(['a', 'c', 'new'])],
      ['ParentDir', ''],
    ] as const;
    return random.chance(0.7) ? { ...made, fields: [...usual, ...made.fields] } : made;
  };
  return {
    name,
    generate: (random) => ({
      isLoggedIn: random.chance(0.9),
      messages: Array.from({ length: random.between(1, 6) }, () => message(random)),
      missing: random.chance(0.9) ? 0 : random.between(1, 50),
    }),
    mutate(input, random) {
      const messages = [...input.messages];
      const at = random.below(messages.length + 1);
      const kind = random.below(6);
      if (kind === 0) messages.splice(at, 0, message(random));
      else if (kind === 1) messages.splice(at, 1);
      else if (kind === 2 && messages[at]) messages.splice(random.below(messages.length), 0, messages[at]!);
      else if (messages[at]) messages[at] = mutateMessage(messages[at]!, random);
      return {
        ...input,
        messages: messages.slice(0, MAX_MESSAGES),
        missing: random.chance(0.95) ? input.missing : random.below(100),
      };
    },
    async run({ isLoggedIn, messages, missing }) {
      const said = Buffer.concat([
        Uint8Array.of(flag),
        ...(isLoggedIn ? [LOGIN] : []).concat(messages).map(encodeMessage),
      ]);
      const bytes = said.subarray(0, Math.max(1, said.length - missing));
      const { answer, reason } = await server.converse(bytes);
      await server.check(answer);
      return flag === ProtocolFlag.LogOutput ? `${reason}` : judge(bytes.subarray(1), answer, reason);
    },
    split: ({ messages }) => messages,
    join: (parts, input) => ({ ...input, messages: parts as Message[] }),
    async open() {
      server = await FuzzedServer.start();
    },
    close: () => server.stop(),
  };
}

/** @returns the commands and codes of the answers, and why the connection was closed; @throws when an answer is missing */
function judge(said: Buffer, answer: Buffer, reason: string | undefined): string {
  const responses = packetsOf(answer).map(decodedText);
  const answered = new Map<string, number>();
  for (const { command = '' } of responses)
    answered.set(command.toLowerCase(), (answered.get(command.toLowerCase()) ?? 0) + 1);
  // Where the server has ended the connection for what came, what came behind it has no answer.
  if (reason === 'peer-closed') {
    for (const packet of packetsOf(said)) {
      const { command = '' } = decodedText(packet);
      const name = command.replace(/[\r\n]/g, ' ').toLowerCase();
      if (UNANSWERED.has(name)) continue;
      const left = answered.get(name) ?? 0;
      assert.ok(left > 0, `${JSON.stringify(command)} has no answer; answered: ${JSON.stringify([...answered])}`);
      answered.set(name, left - 1);
    }
  }
  const codes = responses.map((text) => `${text.command}:${text.first('Code')}`);
  return `${[...new Set(codes)].sort().slice(0, 4).join(' ')} ${reason}`;
}

function decodedText(packet: Buffer): CommandText {
  return decodeCommandText(packet, PACKET_HEAD_BYTES, commandTextEnd(packet, 0, packet.length));
}

/** The whole packets, up to the first bytes that are none. */
function packetsOf(bytes: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  const decoder = new LengthFieldDecoder(packetLayout(), {
    onFrame(source, start, end) {
      packets.push(Buffer.from(source.subarray(start, end)));
      return true;
    },
  });
  try {
    decoder.push(bytes, 0, bytes.length);
  } catch (error) {
    if (!(error instanceof FramingError)) throw error;
  }
  return packets;
}
