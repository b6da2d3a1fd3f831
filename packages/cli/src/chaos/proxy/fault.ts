/** Up is from the client to the target. */
export type Direction = 'up' | 'down';

export const DIRECTIONS: readonly Direction[] = ['up', 'down'];

/** Bytes of one direction after which something happens; chosen once for each connection. */
export interface ByteRange {
  readonly least: number;
  readonly most: number;
}

/** What changes how bytes are delivered, from the first to the last. */
export type Pace =
  | { readonly kind: 'slice'; readonly bytes: number; readonly gapMs: number }
  | { readonly kind: 'delay'; readonly ms: number; readonly jitterMs: number }
  | { readonly kind: 'throttle'; readonly bytesPerSecond: number };

/** What happens at a byte. */
export type MarkKind = 'stall' | 'freeze' | 'reset' | 'half-close' | 'flip';

export type Fault = Pace | { readonly kind: MarkKind; readonly after: ByteRange; readonly ms: number };

/** Reordering concerns connections, not bytes, so it has no rule. */
export type FaultKind = Fault['kind'] | 'reorder';

/** One option of the command line. */
export interface FaultRule {
  readonly fault: Fault;
  readonly directions: readonly Direction[];
  /** Share of the connections on which it plays, 0 to 1. */
  readonly probability: number;
}

/** A fault at its byte. */
export interface Mark {
  readonly kind: MarkKind;
  /** Happens when so many bytes have come. */
  readonly atBytes: number;
  /** Of a stall. */
  readonly ms: number;
  /** Of a flip: which bit of the byte behind. */
  readonly bit: number;
}

/** What one direction of one connection has to go through. */
export interface LanePlan {
  readonly slice?: Extract<Pace, { readonly kind: 'slice' }>;
  readonly delay?: Extract<Pace, { readonly kind: 'delay' }>;
  readonly throttle?: Extract<Pace, { readonly kind: 'throttle' }>;
  /** By their byte. */
  readonly marks: readonly Mark[];
}

/** A fault as it was played. */
export interface PlayedFault {
  readonly fault: FaultKind;
  readonly direction?: Direction;
  readonly atBytes?: number;
  /** With its unit, for people: `pieces of 7 B`. */
  readonly detail?: string;
}
