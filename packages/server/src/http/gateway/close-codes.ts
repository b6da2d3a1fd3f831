/** How a WebSocket ends: a code of RFC 6455, 7.4, and a word or two. */
export interface WebSocketEnd {
  readonly code: number;
  /** 123 bytes at most, ASCII. */
  readonly reason: string;
}

const GOING_AWAY = 1001;
const NORMAL = 1000;
const PROTOCOL_ERROR = 1002;
const UNSUPPORTED_DATA = 1003;
const INVALID_DATA = 1007;
const POLICY = 1008;
const INTERNAL = 1011;
const TRY_AGAIN = 1013;

/** What is neither an orderly end nor the breach of a rule by the peer. docs/protocol.md, section 18. */
const CODES: ReadonlyMap<string, number> = new Map([
  ['peer-closed', NORMAL],
  ['log-output-left', NORMAL],
  ['taken-over', NORMAL],
  ['shutdown', GOING_AWAY],
  ['worker-died', GOING_AWAY],
  ['websocket-error', PROTOCOL_ERROR],
  ['text-message', UNSUPPORTED_DATA],
  ['unknown-protocol', INVALID_DATA],
  ['framing-error', INVALID_DATA],
  ['bad-packet', INVALID_DATA],
  ['data-without-upload', INVALID_DATA],
  ['handler-failed', INTERNAL],
  ['read-failed', INTERNAL],
  ['write-failed', INTERNAL],
  ['outbound-limit', INTERNAL],
  ['memory', TRY_AGAIN],
  ['displaced', TRY_AGAIN],
  ['network-limit', TRY_AGAIN],
]);

/** Everything else is a rule that the peer has not kept, or an operator's wish: timeouts, kicks, ended sessions. */
export function endFor(reason: string): WebSocketEnd {
  return { code: CODES.get(reason) ?? POLICY, reason };
}

/** Of one that was not admitted. */
export function endOfRefused(reason: string, retryAfterMs: number): WebSocketEnd {
  const code = reason === 'shutdown' ? GOING_AWAY : TRY_AGAIN;
  return { code, reason: `${reason} RetryAfterMs=${retryAfterMs}` };
}
