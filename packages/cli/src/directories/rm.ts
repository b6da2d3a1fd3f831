import type { Invocation } from '../command.js';
import { CommandError } from '../command-error.js';
import type { rmOptions } from '../commands/rm.js';
import { ExitCode } from '../exit-code.js';
import { findEntry } from '../remote-answer.js';
import { eachOperand } from './each-operand.js';

/** `sluice rm`. */
export function rm({ operands, options }: Invocation<typeof rmOptions>): Promise<number> {
  return eachOperand(operands, options, async (client, { path, isDirectory }, signal) => {
    // the server calls it success to remove what is not there; who typed the name wants to know
    const entry = await findEntry(client, path, signal);
    if (!entry) throw new CommandError(ExitCode.Failed, `${path} does not exist: see what there is with sluice ls`);
    if (entry.kind === 'directory') {
      if (!options.recursive) {
        throw new CommandError(ExitCode.Failed, `${path} is a directory: remove it, with all that is in it, with -r`);
      }
      await client.removeDirectory(path, { signal });
    } else {
      if (isDirectory) throw new CommandError(ExitCode.Failed, `${path} is a file: write it without the / at its end`);
      await client.removeFile(path, { signal });
    }
  });
}
