import { TlsContexts } from '@sluice/core';
import { CertificateFolder, issueForTest, type RandomSource } from '@sluice/testkit';
import { bySingleBytes, bytesOf, mutateBytes, textOf } from '../byte-text.js';
import type { FuzzTarget } from '../fuzz-target.js';
import { FuzzedServer } from './fuzzed-server.js';
import { encodeMessage, randomMessage } from './random-message.js';

interface Beginning {
  /** Whether to a server that takes a PROXY header first. */
  readonly isProxied: boolean;
  readonly bytes: string;
}

const HEADERS = [
  'PROXY TCP4 192.0.2.7 198.51.100.1 49153 9999\r\n',
  'PROXY UNKNOWN\r\n',
  '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\xc0\x01\x27\x0f',
  '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0',
];
const FLAGS = [2, 3, 4, 5, 8, 9];
const DICTIONARY = [
  ...HEADERS,
  '\x16\x03\x01',
  '\x15\x03\x03\0\x02\x02\x28',
  ...FLAGS.map((flag) => String.fromCharCode(flag)),
];

/** What stands before anything else on a connection: a balancer's header, the beginning of TLS, the byte that chooses the protocol. Each ends the connection or is served. */
export function firstBytes(): FuzzTarget<Beginning> {
  let folder: CertificateFolder;
  let direct: FuzzedServer;
  let proxied: FuzzedServer;
  return {
    name: 'first-bytes',
    generate(random) {
      const isProxied = random.chance(0.5);
      const header = isProxied === random.chance(0.95) ? random.pick(HEADERS) : '';
      const flag = String.fromCharCode(random.pick(FLAGS));
      const plain = flag + textOf(encodeMessage(randomMessage(random, ['Active', 'Active', 'Dir'])));
      return { isProxied, bytes: header + (random.chance(0.5) ? clientHello(random) : plain) };
    },
    mutate: ({ isProxied, bytes }, random) => ({
      isProxied: random.chance(0.1) ? !isProxied : isProxied,
      bytes: mutateBytes(bytes, random, DICTIONARY),
    }),
    async run({ isProxied, bytes }) {
      const server = isProxied ? proxied : direct;
      const { answer, reason } = await server.converse(bytesOf(bytes));
      await server.check(answer);
      return `${isProxied} ${reason} ${answer.length > 0}`;
    },
    split: ({ bytes }) => bySingleBytes.split(bytes),
    join: (parts, { isProxied }) => ({ isProxied, bytes: bySingleBytes.join(parts) }),
    async open() {
      folder = await CertificateFolder.make();
      const contexts = await TlsContexts.load({ certificates: [await folder.store('server', issueForTest())] });
      direct = await FuzzedServer.start({ tls: { contexts } });
      proxied = await FuzzedServer.start({ tls: { contexts }, proxyFrom: ['127.0.0.0/8'] });
    },
    async close() {
      await direct.stop();
      await proxied.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The record with which a client of TLS 1.3 begins. */
function clientHello(random: RandomSource): string {
  const extensions = [
    extension(0, block(2, block(0, '\0') + block(2, 'localhost'))), // the server's name
    extension(10, block(2, '\0\x1d\0\x17')), // groups
    extension(13, block(2, '\x04\x03\x08\x04\x04\x01')), // signatures
    extension(43, block(1, '\x03\x04\x03\x03')), // versions
    extension(51, block(2, `\0\x1d${block(2, textOf(random.bytes(32)))}`)), // a key
  ];
  const chosen = extensions.filter(() => random.chance(0.9)).join('');
  const body = `\x03\x03${textOf(random.bytes(32))}${block(1, textOf(random.bytes(32)))}${block(2, '\x13\x01\x13\x02\xc0\x2f')}${block(1, '\0')}${block(2, chosen)}`;
  return `\x16\x03\x01${block(2, `\x01\0${block(2, body)}`)}`;
}

function extension(type: number, body: string): string {
  return `\0${String.fromCharCode(type)}${block(2, body)}`;
}

/** A text behind its length of so many bytes. */
function block(lengthBytes: number, text: string): string {
  let head = '';
  for (let i = lengthBytes - 1; i >= 0; i--) head += String.fromCharCode((text.length >> (8 * i)) & 0xff);
  return head + text;
}
