import { lookup } from 'node:dns/promises';
import { BlockList, isIPv6 } from 'node:net';
import { CommandError, usageError } from '../command-error.js';
import { systemReason } from '../configuration/system-reason.js';
import { ExitCode } from '../exit-code.js';
import { addressText, parseAddress } from '../options/address.js';
import type { Address } from '../options/option-table.js';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** @param action of `sluice chaos` @throws {CommandError} exit code 2 */
export function targetOperand(action: string, operands: readonly string[]): Address {
  const [text, ...others] = operands;
  if (text === undefined || others.length > 0) throw usageError(`chaos ${action} takes one target: HOST:PORT`);
  const target = parseAddress(text);
  if (!target) throw usageError(`${text} is no target: give HOST:PORT, like 127.0.0.1:9999 or [::1]:9999`);
  return target;
}

/**
 * The address that a target's name stands for. All addresses it resolves to must be this machine's own, unless the caller says that the
 * target is his.
 *
 * @throws {CommandError} exit code 2 for another machine, 4 for a name that nobody knows
 */
export async function attackedAddress(target: Address, isOwn: boolean): Promise<Address> {
  const found = await lookup(target.host, { all: true }).catch((error: unknown) => {
    throw new CommandError(ExitCode.NotConnected, `cannot find ${target.host}: ${systemReason(error)}`, {
      cause: error,
    });
  });
  const foreign = found.find(({ address }) => !isLoopback(address));
  if (foreign && !isOwn) {
    throw usageError(
      `${addressText(target)} is not on this machine (${foreign.address}): attack what is yours, and say so with --i-own-this-target`,
    );
  }
  const first = found[0];
  if (!first) throw new CommandError(ExitCode.NotConnected, `cannot find ${target.host}: it has no address`);
  return { host: first.address, port: target.port };
}

/** 127.0.0.0/8, ::1, and IPv4 written as IPv6. */
export function isLoopback(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return loopback.check(mapped);
  return loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
