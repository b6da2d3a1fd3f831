import { placeOf } from './cpu-profile.js';

/** As V8 writes it to a .heapprofile: a tree of calls with the sampled bytes that each has allocated and that are still held. */
export interface HeapProfile {
  readonly head: HeapNode;
}

export interface HeapNode {
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  /** Bytes. */
  readonly selfSize: number;
  readonly children: readonly HeapNode[];
}

/** Bytes that are held at the end, by the function that allocated them. */
export interface HeldBytes {
  readonly name: string;
  readonly place: string;
  readonly bytes: number;
}

/** Largest first. */
export function heldBytes({ head }: HeapProfile): HeldBytes[] {
  const byFunction = new Map<string, { name: string; place: string; bytes: number }>();
  const visit = (node: HeapNode) => {
    const name = node.callFrame.functionName || '(anonymous)';
    const place = placeOf(node);
    const held = byFunction.get(`${name} ${place}`);
    if (held === undefined) byFunction.set(`${name} ${place}`, { name, place, bytes: node.selfSize });
    else held.bytes += node.selfSize;
    node.children.forEach(visit);
  };
  visit(head);
  return [...byFunction.values()].filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes);
}
