import { BlockList, isIP, isIPv4 } from 'node:net';

/**
 * Reads an address, or a network as `10.0.0.0/8` or `fd00::/8`.
 *
 * @returns whether an address lies in it; `undefined` if the text is neither
 */
export function parseNetwork(text: string): ((address: string) => boolean) | undefined {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return undefined;
  const bits = family === 4 ? 32 : 128;
  if (prefix !== undefined && (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits)) return undefined;
  const list = new BlockList();
  list.addSubnet(address, prefix === undefined ? bits : Number(prefix), familyName(address));
  return (other) => {
    const plain = other.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
    return isIP(plain) !== 0 && list.check(plain, familyName(plain));
  };
}

const loopback = parseNetwork('127.0.0.0/8');

/** Whether the address is one of this machine that no other can have. */
export function isLoopback(address: string): boolean {
  return address === '::1' || loopback?.(address) === true;
}

function familyName(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}
