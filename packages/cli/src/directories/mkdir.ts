import type { Invocation } from '../command.js';
import type { mkdirOptions } from '../commands/mkdir.js';
import { eachOperand } from './each-operand.js';

/** `sluice mkdir`. */
export function mkdir({ operands, options }: Invocation<typeof mkdirOptions>): Promise<number> {
  return eachOperand(operands, options, (client, { path }, signal) => client.makeDirectory(path, { signal }));
}
