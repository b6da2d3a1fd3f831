import type { Attacker } from '../attacker.js';

/** Every second one closes its side; the others are silent, as a machine is that was switched off. */
export const halfOpen: Attacker = {
  play(field) {
    const { preamble, request, opening } = field.dialect;
    return field.hold((socket, index) => {
      field.send(socket, Buffer.concat([preamble, request, opening]));
      socket.pause();
      if (index % 2 === 1) socket.end();
    }, false);
  },
};
