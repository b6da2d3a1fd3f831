import { ResultCode } from '@sluice/wire';
import type { Endpoint } from './endpoint.js';
import { ClientError } from './errors.js';

/** What a caller is told when a connection was made and the login did not succeed. */
export function loginFailure(error: unknown, { host, port, userName, isSecure = false }: Endpoint): unknown {
  if (!(error instanceof ClientError)) return error;
  const { code, resultCode, retryable, message } = error;
  const peer = `${host}:${port}`;
  if (resultCode === ResultCode.UserOrPasswordError) {
    const text = `${userName} cannot log in at ${peer}: wrong user name or password`;
    return new ClientError('ERR_LOGIN_REFUSED', text, { cause: error, resultCode });
  }
  if (resultCode === ResultCode.NotPermitted && !isSecure) {
    return new ClientError('ERR_TLS', `${peer} refuses a plain connection: ${message}`, { cause: error });
  }
  if (code === 'ERR_CONNECTION_LOST' && isSecure) {
    // With TLS 1.3 a server looks at the certificate of the client when that takes the handshake for done.
    const text = `${message}; it may ask for a certificate of the client, or refuse the one it was shown`;
    return new ClientError('ERR_TLS', text, { cause: error, retryable });
  }
  return error;
}
