import { OptionsError } from '@sluice/framing';
import { parseNetwork } from './address-network.js';

/** @throws {OptionsError} */
export function requireNetwork(text: string): (address: string) => boolean {
  const network = parseNetwork(text);
  if (!network) throw new OptionsError(`${text} is no address and no network`);
  return network;
}
