import type { AttackField } from './attack-field.js';

/** One way to hurt a server. */
export interface Attacker {
  /** Plays until the signal of the field aborts. Does not reject for what the server does. */
  play(field: AttackField): Promise<void>;
}
