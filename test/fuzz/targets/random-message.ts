import type { RandomSource } from '@sluice/testkit';
import { Command, Key } from '@sluice/wire';
import { mutateBytes, textOf } from '../byte-text.js';

/** A request as it goes over the wire, before its lengths are written. */
export interface Message {
  readonly command: string;
  readonly fields: readonly (readonly [key: string, value: string])[];
  /** As `textOf` has it. */
  readonly data: string;
  /** Instead of what the lengths should be. */
  readonly packetLength?: number;
  readonly textLength?: number;
}

const KEYS = Object.values(Key);
const COMMANDS = Object.values(Command);

const NAMES = [
  'a',
  'b.txt',
  'sub',
  'sub/c',
  '..',
  '.',
  '',
  '/',
  '/etc/passwd',
  '../outside',
  '..\\outside',
  'sub/../../outside',
  'a\0b',
  'a=b',
  '\u00e4',
  '\ufffd',
  'con',
  '.sluice',
  '.sluice/staging',
  'x'.repeat(300),
  '\u202e',
  '*',
  'a\u0001b',
  '~',
  '/proc/self/environ',
  'link',
  'link/file',
  ' ',
  'a ',
  '%2e%2e',
];
const NUMBERS = [
  '0',
  '1',
  '-1',
  '2',
  '4',
  '100',
  '4096',
  '65536',
  '4194304',
  '2147483647',
  '2147483648',
  '-2147483648',
  '4294967296',
  '9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
  '18446744073709551616',
  '1e3',
  '0x10',
  ' 1',
  '1 ',
  '+1',
  '',
  'NaN',
  '99999999999999999999999999',
];
const WORDS = [
  'yes',
  'no',
  'on',
  'off',
  'true',
  'read',
  'write',
  'admin',
  'durable',
  'memory',
  'fail',
  'skip',
  'replace',
  'newer',
  'refuse',
  'wait',
  'take-over',
  'SCRAM-SHA-256',
  'Digest,Resume,Ranges,StagedUploads',
  'debug',
  'up',
  'down',
  'both',
  '10.0.0.0/8',
  '::1',
  '127.0.0.1',
  '21232f297a57a5a743894a0e4a801fc3',
  'n,,n=admin,r=abc',
  'biwsbj1hZG1pbixyPWFiYw==',
  '0'.repeat(32),
  'ffffffffffffffff',
  'xxh64',
  '{}',
  '[1',
  'null',
];

export const TEXT_DICTIONARY: readonly string[] = [
  '\r\n',
  '=',
  '[Request]',
  'Command=',
  ...KEYS.map((key) => `\r\n${key}=`),
  ...NUMBERS,
  ...NAMES.map((name) => textOf(Buffer.from(name))),
];

export function randomValue(random: RandomSource): string {
  const value = random.pick(random.pick([NAMES, NUMBERS, NUMBERS, WORDS]));
  return random.chance(0.05) ? Buffer.from(mutateBytes(value, random), 'latin1').toString('utf8') : value;
}

/** @param commands which to choose from. @default all */
export function randomMessage(random: RandomSource, commands: readonly string[] = COMMANDS): Message {
  const fields = Array.from({ length: random.between(0, 6) }, () => [random.pick(KEYS), randomValue(random)] as const);
  const data = random.chance(0.6)
    ? ''
    : textOf(random.bytes(random.chance(0.1) ? random.between(1000, 70_000) : random.between(1, 200)));
  return { command: random.pick(commands), fields, data };
}

/** The message with one thing changed: a key or value, doubled, left out or exchanged; the data; the lengths. */
export function mutateMessage(message: Message, random: RandomSource): Message {
  const { fields } = message;
  const at = random.below(fields.length + 1);
  const field = fields[at];
  const without = fields.filter((_, i) => i !== at);
  switch (random.below(10)) {
    case 0:
      return { ...message, fields: without };
    case 1:
      return field ? { ...message, fields: [...fields, field] } : message;
    case 2:
    case 3:
    case 4:
      return field ? { ...message, fields: [...without, [field[0], randomValue(random)]] } : message;
    case 5:
      return { ...message, fields: [...fields, [random.pick(KEYS), randomValue(random)]] };
    case 6:
      return {
        ...message,
        data: message.data === '' ? textOf(random.bytes(random.between(1, 100))) : mutateBytes(message.data, random),
      };
    case 7:
      return { ...message, command: random.chance(0.2) ? randomValue(random) : random.pick(COMMANDS) };
    case 8:
      return random.chance(0.2) ? { ...message, packetLength: lengthNear(message, random) } : { ...message, data: '' };
    default:
      return random.chance(0.2) ? { ...message, textLength: lengthNear(message, random) } : message;
  }
}

function lengthNear(message: Message, random: RandomSource): number {
  const right = encodeMessage({ command: message.command, fields: message.fields, data: message.data }).length;
  return random.pick([
    0,
    3,
    4,
    5,
    right - 5,
    right - 4,
    right - 3,
    right,
    10_485_760,
    10_485_761,
    0xffff_ffff,
    random.below(right + 1),
  ]);
}

export function encodeMessage({ command, fields, data, packetLength, textLength }: Message): Buffer {
  const lines = ['[Request]', `Command=${command}`, ...fields.map(([key, value]) => `${key}=${value}`)];
  const text = Buffer.from(lines.join('\r\n'));
  const body = Buffer.from(data, 'latin1');
  const head = Buffer.alloc(8);
  head.writeUInt32LE((packetLength ?? 4 + text.length + body.length) >>> 0);
  head.writeUInt32LE((textLength ?? text.length) >>> 0, 4);
  return Buffer.concat([head, text, body]);
}
