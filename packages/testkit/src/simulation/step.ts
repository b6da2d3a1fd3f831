import type { RandomSource } from './random-source.js';

/** Something that happens to the server from outside. A scenario is a list of these; each stands for itself, so that others can be left out. */
export type Step =
  /** A new peer connects over a link of its own kind. */
  | { readonly do: 'connect'; readonly peer: number }
  /** The peer says what its model wants to say; `salt` decides what. */
  | { readonly do: 'send'; readonly peer: number; readonly salt: number }
  | { readonly do: 'stop-reading'; readonly peer: number }
  | { readonly do: 'read-on'; readonly peer: number }
  /** FIN: it reads on. */
  | { readonly do: 'end'; readonly peer: number }
  /** Its socket is closed: FIN, or RST when bytes are unread. */
  | { readonly do: 'close'; readonly peer: number }
  | { readonly do: 'reset'; readonly peer: number }
  /** Its machine is gone; nobody is told. */
  | { readonly do: 'vanish'; readonly peer: number }
  /** Nothing passes for a time. */
  | { readonly do: 'stall'; readonly peer: number; readonly forMs: number }
  | { readonly do: 'wait'; readonly forMs: number }
  /** Others take descriptors of the process: so many sockets can be had beside those that are open. */
  | { readonly do: 'descriptors'; readonly free: number }
  /** Something of the protocol's own. */
  | { readonly do: 'act'; readonly action: string; readonly salt: number }
  | { readonly do: 'drain'; readonly graceMs: number };

type Kind = Step['do'];

const WEIGHTS: Readonly<Record<Kind, number>> = {
  connect: 8,
  send: 30,
  'stop-reading': 4,
  'read-on': 4,
  end: 3,
  close: 2,
  reset: 2,
  vanish: 1,
  stall: 3,
  wait: 20,
  descriptors: 2,
  act: 8,
  drain: 0.3,
};

/** What a scenario never goes without. */
const ALWAYS: ReadonlySet<Kind> = new Set<Kind>(['connect', 'send', 'wait']);

/** @param actions what the protocol can do by itself */
export function randomSteps(random: RandomSource, count: number, actions: readonly string[]): Step[] {
  const weights = { ...WEIGHTS };
  // Each seed leaves some kinds out, and prefers others: what only shows when one thing happens often would drown in all the rest.
  for (const kind of Object.keys(weights) as Kind[]) {
    if (ALWAYS.has(kind)) weights[kind] *= random.pick([0.3, 1, 3]);
    else weights[kind] *= random.pick([0, 0, 0.5, 1, 4]);
  }
  if (actions.length === 0) weights.act = 0;
  const maxPeers = random.between(1, 8);
  const steps: Step[] = [];
  let peers = 0;
  while (steps.length < count) {
    if (peers === 0) {
      steps.push({ do: 'connect', peer: peers++ });
      continue;
    }
    // Mostly the younger ones: the older have gone, more often than not.
    const peer = Math.max(0, peers - 1 - Math.floor(random.next() ** 2 * Math.min(peers, maxPeers)));
    const kind = random.weighted(weights);
    switch (kind) {
      case 'connect':
        steps.push({ do: 'connect', peer: peers++ });
        break;
      case 'send':
        steps.push({ do: kind, peer, salt: random.below(2 ** 31) });
        break;
      case 'wait':
        steps.push({ do: kind, forMs: waitMs(random) });
        break;
      case 'stall':
        steps.push({ do: kind, peer, forMs: random.between(1, 20_000) });
        break;
      case 'descriptors':
        steps.push({ do: kind, free: random.between(0, 3) });
        break;
      case 'act':
        steps.push({ do: kind, action: random.pick(actions), salt: random.below(2 ** 31) });
        break;
      case 'drain':
        steps.push({ do: kind, graceMs: random.between(0, 10_000) });
        break;
      default:
        steps.push({ do: kind, peer });
    }
  }
  return steps;
}

function waitMs(random: RandomSource): number {
  const kind = random.next();
  if (kind < 0.6) return random.between(0, 20);
  if (kind < 0.9) return random.between(20, 1000);
  return random.between(1000, 30_000);
}
