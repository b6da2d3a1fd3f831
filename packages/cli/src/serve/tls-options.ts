import { CommandError, usageError } from '../command-error.js';
import { ExitCode } from '../exit-code.js';
import type { OptionTable, OptionValues } from '../options/option-table.js';

type ServerPackage = typeof import('@sluice/server');

/** Options of serve about TLS, and about balancers that stand before the server. */
export const tlsOptions = {
  'tls-cert': {
    kind: 'string',
    placeholder: 'FILE',
    repeatable: true,
    summary:
      'certificate in PEM form, those of intermediate authorities behind it; with several, the name the client asks for decides, and ' +
      'the first is for all others',
  },
  'tls-key': {
    kind: 'string',
    placeholder: 'FILE',
    repeatable: true,
    summary: 'its private key; as many as certificates, in the same order',
  },
  'tls-ca': {
    kind: 'string',
    placeholder: 'FILE',
    summary: 'authorities in PEM form: every TLS client must show a certificate that one of them has signed',
  },
  'tls-only': { kind: 'flag', summary: 'refuse plain connections' },
  'proxy-from': {
    kind: 'string',
    placeholder: 'NETWORK',
    repeatable: true,
    summary:
      'address or network (10.0.0.0/8) of balancers, which must send a header of the PROXY protocol, version 1 or 2',
  },
} as const satisfies OptionTable;

/**
 * Reads the certificates.
 *
 * @returns what `SluiceServer.start` takes as `tls`; `undefined` without certificates
 * @throws {CommandError} exit code 1 for files that cannot be used, 2 for options that do not fit together
 */
export async function loadTls(
  { loadCertificates }: ServerPackage,
  options: Pick<OptionValues<typeof tlsOptions>, 'tls-cert' | 'tls-key' | 'tls-ca' | 'tls-only'>,
  ticketKeys?: Uint8Array,
) {
  const { 'tls-cert': certFiles, 'tls-key': keyFiles, 'tls-ca': clientCaFile } = options;
  if (certFiles.length !== keyFiles.length) {
    throw usageError(
      `give a --tls-key for each --tls-cert, in the same order: there are ${keyFiles.length} and ${certFiles.length}`,
    );
  }
  if (certFiles.length === 0) {
    const needing = options['tls-only'] ? '--tls-only' : clientCaFile !== undefined ? '--tls-ca' : undefined;
    if (needing)
      throw usageError(`${needing} needs --tls-cert and --tls-key; sluice tls self-signed makes a pair to try`);
    return undefined;
  }
  const certificates = certFiles.map((certFile, i) => ({ certFile, keyFile: keyFiles[i]! }));
  try {
    const contexts = await loadCertificates({
      certificates,
      ...(clientCaFile !== undefined && { clientCaFile }),
      ...(ticketKeys && { ticketKeys }),
    });
    return { contexts, isRequired: options['tls-only'] };
  } catch (error) {
    if (!(error instanceof Error && error.name === 'TlsFileError')) throw error;
    throw new CommandError(ExitCode.Failed, error.message, { cause: error });
  }
}
