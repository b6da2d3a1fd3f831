/** One place in the tree of calls, as V8 writes it to a .cpuprofile. */
export interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

/** What V8 writes: a tree of calls, and which of its nodes was on top at each sample. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds from the sample before. */
  readonly timeDeltas: readonly number[];
}

/** A function where it was called from, with the time spent in it and in what it called. */
export interface Frame {
  readonly name: string;
  /** File and line; empty for what V8 itself does. */
  readonly place: string;
  readonly selfUs: number;
  readonly totalUs: number;
  /** Largest first. */
  readonly children: readonly Frame[];
}

/** A function, wherever it was called from. */
export interface FunctionCost {
  readonly name: string;
  readonly place: string;
  readonly selfUs: number;
}

/** In which nothing is done, or which is not in the tree of calls: the time is the machine's, not the program's. */
const WAITING = new Set(['(idle)']);

/** The tree of calls without waiting; calls of the same function from the same place are one. */
export function frameTree({ nodes, samples, timeDeltas }: CpuProfile): Frame {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const selfUs = new Map<number, number>();
  samples.forEach((id, index) => {
    // A delta is the time since the sample before: what was on top then has taken it.
    selfUs.set(id, (selfUs.get(id) ?? 0) + Math.max(0, timeDeltas[index + 1] ?? 0));
  });
  const merge = (ids: readonly number[]): Frame[] => {
    const groups = new Map<string, ProfileNode[]>();
    for (const id of ids) {
      const node = byId.get(id);
      if (node === undefined || WAITING.has(node.callFrame.functionName)) continue;
      const key = `${node.callFrame.functionName} ${placeOf(node)}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [node]);
      else group.push(node);
    }
    return [...groups.values()]
      .map((group): Frame => {
        const children = merge(group.flatMap((node) => node.children ?? []));
        const own = group.reduce((sum, { id }) => sum + (selfUs.get(id) ?? 0), 0);
        return {
          name: nameOf(group[0]!),
          place: placeOf(group[0]!),
          selfUs: own,
          totalUs: own + children.reduce((sum, { totalUs }) => sum + totalUs, 0),
          children,
        };
      })
      .filter(({ totalUs }) => totalUs > 0)
      .sort((a, b) => b.totalUs - a.totalUs);
  };
  const root = nodes[0];
  const children = root === undefined ? [] : merge(root.children ?? []);
  const totalUs = children.reduce((sum, frame) => sum + frame.totalUs, 0);
  return { name: 'all', place: '', selfUs: 0, totalUs, children };
}

/** Every function with its own time, largest first. */
export function functionCosts(root: Frame): FunctionCost[] {
  const costs = new Map<string, { name: string; place: string; selfUs: number }>();
  const visit = ({ name, place, selfUs, children }: Frame) => {
    const cost = costs.get(`${name} ${place}`);
    if (cost === undefined) costs.set(`${name} ${place}`, { name, place, selfUs });
    else cost.selfUs += selfUs;
    children.forEach(visit);
  };
  root.children.forEach(visit);
  return [...costs.values()].filter(({ selfUs }) => selfUs > 0).sort((a, b) => b.selfUs - a.selfUs);
}

function nameOf({ callFrame: { functionName } }: ProfileNode): string {
  return functionName === '' ? '(anonymous)' : functionName;
}

/** Package and file are enough to find it: `server/dist/session.js:12`, `node:net:5`. */
export function placeOf({ callFrame: { url, lineNumber } }: Pick<ProfileNode, 'callFrame'>): string {
  if (url === '') return '';
  const file = url.replace(/^file:\/\//, '').replace(/^.*\/(?:packages|node_modules)\//, '');
  return `${file}:${lineNumber + 1}`;
}
