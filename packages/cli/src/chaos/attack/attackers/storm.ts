import type { Attacker } from '../attacker.js';

export const storm: Attacker = {
  play(field) {
    return field.churn((socket) => field.leave(socket, 'fin'));
  },
};
