import type { Attacker } from '../attacker.js';

export const rstStorm: Attacker = {
  play(field) {
    const begun = Buffer.concat([field.dialect.preamble, field.dialect.opening]);
    return field.churn((socket) => {
      field.tally.bytesSent += begun.length;
      // when the system has it, so that the server has something to read when the reset comes
      socket.write(begun, () => field.leave(socket, 'reset'));
    });
  },
};
