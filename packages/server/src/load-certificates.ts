import { TlsContexts, type TlsFiles } from '@sluice/core';

/**
 * Reads the certificates of a server, for `SluiceServerOptions.tls`, and checks that they can be used.
 *
 * @throws {TlsFileError} with a message for the operator, that names the file
 */
export function loadCertificates(files: TlsFiles): Promise<TlsContexts> {
  return TlsContexts.load(files);
}
