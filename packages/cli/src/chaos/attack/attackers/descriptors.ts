import type { Attacker } from '../attacker.js';

export const descriptors: Attacker = {
  play(field) {
    return field.hold(() => {}, true);
  },
};
