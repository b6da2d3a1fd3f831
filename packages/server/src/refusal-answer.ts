import type { RefusalReason } from '@sluice/core';
import { encodePacket, Key, messageText, ProtocolFlag, ResultCode, responseText } from '@sluice/wire';
import type { Protocol } from './protocol.js';

const MESSAGES: Readonly<Record<string, string>> = {
  'network-full': 'too many connections from this address',
  'network-rate': 'too many new connections from this address',
};

/** What clients are told that are refused before they have a session: code 12, if their first byte chooses a protocol of packets. docs/protocol.md, 17.15. */
export function refusalAnswerFor(protocols: ReadonlyMap<number, Pick<Protocol, 'kind'>>) {
  return (first: Uint8Array, reason: RefusalReason, retryAfterMs: number): Uint8Array | undefined => {
    if (protocols.get(first[0]!)?.kind !== 'packets') return undefined;
    const message = messageText(MESSAGES[reason] ?? 'the server has no room for another connection now');
    return encodePacket(responseText('', ResultCode.Busy, [[Key.RetryAfterMs, retryAfterMs]], message));
  };
}

/** The same in a process that has no protocols itself. */
export const refusalAnswerForClients = refusalAnswerFor(
  new Map(
    Object.values(ProtocolFlag)
      .filter((flag) => flag !== ProtocolFlag.LogOutput)
      .map((flag) => [flag, { kind: 'packets' }]),
  ),
);
