import type { Attacker } from '../attacker.js';

export const hugePrefix: Attacker = {
  play(field) {
    const { preamble, hugePrefixes } = field.dialect;
    return field.hold((socket, index) => {
      field.send(socket, Buffer.concat([preamble, hugePrefixes[index % hugePrefixes.length]!]));
    }, false);
  },
};
