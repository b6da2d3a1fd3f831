import { ProtocolFlag } from '@sluice/wire';
import { abortable } from './cancellation.js';
import type { Endpoint } from './endpoint.js';
import { ClientError } from './errors.js';
import type { ResolvedConnectOptions } from './options.js';

/** Text that waits for the caller, above which the connection is not read. */
const MAX_WAITING_CHARACTERS = 256 << 10;

/**
 * The log of a server as its LogOutput protocol tells it.
 *
 * @throws {ClientError} `ERR_CONNECT`, `ERR_CONNECTION_LOST`; or the signal's reason
 */
export async function* logOutputOf(
  { host, port }: Pick<Endpoint, 'host' | 'port'>,
  { connectTimeoutMs: timeoutMs, platform }: ResolvedConnectOptions,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const transport = await platform.dial({ host, port, timeoutMs, tls: undefined, signal });
  const decoder = new TextDecoder();
  let waiting = '';
  let failure: ClientError | undefined;
  let onNews: () => void = () => {};
  transport.attach({
    onBytes(buffer, end) {
      waiting += decoder.decode(buffer.subarray(0, end), { stream: true });
      if (waiting.length > MAX_WAITING_CHARACTERS) transport.pause();
      onNews();
    },
    onSilence() {},
    onClose(cause) {
      failure = new ClientError('ERR_CONNECTION_LOST', `${host}:${port} has ended the log`, { cause });
      onNews();
    },
  });
  try {
    await transport.write([Uint8Array.of(ProtocolFlag.LogOutput)]);
    for (;;) {
      if (waiting !== '') {
        const text = waiting;
        waiting = '';
        transport.resume();
        yield text;
      } else if (failure) {
        throw failure;
      } else {
        const news = new Promise<void>((resolve) => {
          onNews = resolve;
        });
        await abortable(signal, news);
      }
    }
  } finally {
    transport.destroy();
  }
}
