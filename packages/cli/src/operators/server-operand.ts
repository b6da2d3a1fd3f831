import { usageError } from '../command-error.js';
import { environment } from '../environment.js';
import { RemoteNames } from '../remote-location.js';

/** The server that an operator's command is for: the operand that is a URL, else `SLUICE_URL`; and the operands besides. */
export function serverOperand(command: string, operands: readonly string[], most: number) {
  const urls = operands.filter((operand) => /^sluices?:\/\//i.test(operand));
  const words = operands.filter((operand) => !urls.includes(operand));
  if (urls.length > 1) throw usageError(`${command} takes one server: call it once for each`);
  if (words.length > most) {
    const hint = most === 0 ? 'a server is named by a URL, sluice://user@host:port/' : `it takes ${most} at most`;
    throw usageError(`${command} cannot use ${words[most]}: ${hint}`);
  }
  const names = new RemoteNames(environment.url);
  const { endpoint } = urls[0] === undefined ? names.base() : names.resolve(urls[0]);
  return { endpoint, words };
}
