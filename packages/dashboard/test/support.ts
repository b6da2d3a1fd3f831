import type { ConnectionRecord } from '../../../packages/dashboard/build/server-api.js';

/** A connection of which only some things matter. */
export function connection(given: Partial<ConnectionRecord> & { readonly id: number }): ConnectionRecord {
  return {
    localAddress: '192.0.2.1:9999',
    remoteAddress: '198.51.100.7:40000',
    protocol: 'Upload',
    isEncrypted: false,
    connectedAt: '2026-01-01T00:00:00.000Z',
    lastActivityAt: '2026-01-01T00:00:01.000Z',
    receivedBytes: 0,
    sentBytes: 0,
    receivedFrames: 0,
    sentFrames: 0,
    queuedBytes: 0,
    receiveRate: 0,
    sendRate: 0,
    ...given,
  };
}
