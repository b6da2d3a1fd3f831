import assert from 'node:assert/strict';
import {
  commandTextEnd,
  decodeCommandText,
  encodePacket,
  PACKET_HEAD_BYTES,
  ProtocolError,
  requestText,
} from '@sluice/wire';
import { bySingleBytes, bytesOf, mutateBytes, textOf } from '../byte-text.js';
import type { FuzzTarget } from '../fuzz-target.js';
import { randomMessage, TEXT_DICTIONARY } from './random-message.js';

/** Any packet is a command text or one of two documented errors; and what is read of it can be written and read again. */
export const commandText: FuzzTarget<string> = {
  name: 'command-text',
  generate(random) {
    const { command, fields, data } = randomMessage(random);
    return textOf(
      encodePacket(
        Buffer.from(
          ['[Request]', `Command=${command}`, ...fields.map(([key, value]) => `${key}=${value}`)].join('\r\n'),
        ),
        bytesOf(data),
      ),
    );
  },
  mutate: (input, random) => mutateBytes(input, random, TEXT_DICTIONARY),
  run(input) {
    const packet = bytesOf(input);
    if (packet.length < PACKET_HEAD_BYTES) return 'short';
    try {
      const end = commandTextEnd(packet, 0, packet.length);
      assert.ok(end <= packet.length);
      const text = decodeCommandText(packet, PACKET_HEAD_BYTES, end, 65_536);
      const { command } = text;
      if (command === undefined) return 'no command';
      const names = text.all('filename');
      if ([command, ...names].some((value) => /[\r\n]/.test(value))) return 'line break';
      const again = requestText(
        command,
        names.map((name) => ['FileName', name]),
      );
      const decoded = decodeCommandText(again, 0, again.length);
      assert.equal(decoded.command, command);
      assert.deepEqual(decoded.all('FILENAME'), names);
      return `command ${Math.min(names.length, 3)}`;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return error.code;
    }
  },
  ...bySingleBytes,
};
