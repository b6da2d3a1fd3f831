import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** Of a line of /proc/net/tcp: established, and closed by this side only (FIN_WAIT1, FIN_WAIT2). */
const LIVE_STATES = new Set(['01', '04', '05']);

/** Those of the sockets which the other side has neither closed nor reset, even if they do not read and so have not noticed. All, where the system does not tell. */
export function liveSockets(sockets: ReadonlySet<Socket>): Set<Socket> {
  let lines: string[];
  try {
    lines = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'latin1').split('\n').slice(1));
  } catch {
    return new Set(sockets);
  }
  const live = new Set<string>();
  for (const line of lines) {
    const [, local, remote, state] = /^\s*\d+: (\S+) (\S+) (\w\w) /.exec(line) ?? [];
    if (local !== undefined && remote !== undefined && state !== undefined && LIVE_STATES.has(state))
      live.add(pairOf(portOf(local), portOf(remote), addressOf(local)));
  }
  return new Set(
    [...sockets].filter(({ localAddress = '', localPort = 0, remotePort = 0 }) =>
      live.has(pairOf(localPort, remotePort, localAddress)),
    ),
  );
}

function pairOf(localPort: number, remotePort: number, address: string): string {
  // of IPv6 the ports have to do: one address of this machine is as good as another
  return `${localPort} ${remotePort} ${address.includes(':') ? '' : address}`;
}

function portOf(text: string): number {
  return Number.parseInt(text.slice(text.indexOf(':') + 1), 16);
}

/** `0100007F` is 127.0.0.1. */
function addressOf(text: string): string {
  const hex = text.slice(0, text.indexOf(':'));
  if (hex.length !== 8) return ':';
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.');
}
