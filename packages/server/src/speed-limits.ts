/** What measurements of the speed may take of a server. A client is an address, for IPv6 a /64. */
export interface SpeedLimits {
  /** Floods at once, in all; one measurement has one for each of its streams. 0 switches them off. @default 64 */
  readonly maxFloods: number;
  /** Of these, for one client. @default 16 */
  readonly maxFloodsPerClient: number;
  /** Longest time of one, in milliseconds. @default 60_000 */
  readonly maxMs: number;
  /** What all of them may move together, in bytes a second each way; 0 for no limit. @default 0 */
  readonly bytesPerSecond: number;
  /** Likewise, for one client. @default 0 */
  readonly bytesPerSecondPerClient: number;
}

export const DEFAULT_SPEED_LIMITS: SpeedLimits = {
  maxFloods: 64,
  maxFloodsPerClient: 16,
  maxMs: 60_000,
  bytesPerSecond: 0,
  bytesPerSecondPerClient: 0,
};
