/** Who may connect, how many, and how fast. */
export interface AdmissionOptions {
  /** Connections served at once. Lowered, with a warning, to what the process's descriptor limit allows. @default 10_000 */
  readonly maxConnections?: number;
  /**
   * Connections that are accepted and wait, unread, for a place, the addresses they come from in turns; more are refused. @default 1024
   */
  readonly maxWaiting?: number;
  /**
   * Connections whose peers have not shown yet that they are clients; 0 for no limit. At the limit a newcomer takes the place of the oldest of
   * them, if that has had 3 s, or waits. @default 1000
   */
  readonly maxUnestablished?: number;
  /** New connections a second, and as many at once after a quiet time; the others wait or are refused; 0 for no limit. @default 0 */
  readonly connectionRate?: number;
  /** Connections from one address, for IPv6 from its first 64 bits, waiting ones included; more are refused; 0 for no limit. @default 0 */
  readonly maxPerAddress?: number;
  /** New connections a second from one address, twice as many at once after a quiet time; more are refused; 0 for no limit. @default 0 */
  readonly connectionRatePerAddress?: number;
  /** Addresses that these two do not count. Not asked for balancers: the addresses that they tell are counted. @default those of this machine */
  readonly isUncounted?: (address: string) => boolean;
  /**
   * Whether admission begins slowly at the start, and after an overload: 1,000 connections at once, 1,000 in the second that follows, twice as
   * many in the next, and after 6 s all. @default true
   */
  readonly slowStart?: boolean;
}

/** The same, each with its value. */
export type AdmissionLimits = Required<Omit<AdmissionOptions, 'isUncounted'>>;

export const DEFAULT_ADMISSION_LIMITS = {
  maxConnections: 10_000,
  maxWaiting: 1024,
  maxUnestablished: 1000,
  connectionRate: 0,
  maxPerAddress: 0,
  connectionRatePerAddress: 0,
  slowStart: true,
} as const satisfies AdmissionLimits;

/** What is not given has its default. */
export function admissionLimitsOf(given: AdmissionOptions): AdmissionLimits {
  const defaults = DEFAULT_ADMISSION_LIMITS;
  return {
    maxConnections: given.maxConnections ?? defaults.maxConnections,
    maxWaiting: given.maxWaiting ?? defaults.maxWaiting,
    maxUnestablished: given.maxUnestablished ?? defaults.maxUnestablished,
    connectionRate: given.connectionRate ?? defaults.connectionRate,
    maxPerAddress: given.maxPerAddress ?? defaults.maxPerAddress,
    connectionRatePerAddress: given.connectionRatePerAddress ?? defaults.connectionRatePerAddress,
    slowStart: given.slowStart ?? defaults.slowStart,
  };
}
