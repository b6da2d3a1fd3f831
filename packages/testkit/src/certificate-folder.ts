import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type CertificateFiles, type CertificateRequest, IssuedCertificate } from '@sluice/core';

const DAY_MS = 86_400_000;

/** A certificate that is valid now, unless told otherwise. */
export function issueForTest(request: Partial<CertificateRequest> = {}): IssuedCertificate {
  return IssuedCertificate.issue({
    name: 'localhost',
    validFrom: new Date(Date.now() - DAY_MS),
    validTo: new Date(Date.now() + DAY_MS),
    ...request,
  });
}

/** For a certificate that has been valid. */
export const EXPIRED: Pick<CertificateRequest, 'validFrom' | 'validTo'> = {
  validFrom: new Date(Date.now() - 3 * DAY_MS),
  validTo: new Date(Date.now() - DAY_MS),
};

/** A temporary folder with certificates and keys. */
export class CertificateFolder implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<CertificateFolder> {
    return new CertificateFolder(await mkdtemp(path.join(os.tmpdir(), 'sluice-tls-')));
  }

  async write(name: string, text: string): Promise<string> {
    const file = path.join(this.folder, name);
    await writeFile(file, text);
    return file;
  }

  remove(name: string): Promise<void> {
    return rm(path.join(this.folder, name));
  }

  /** Writes `NAME.crt` and `NAME.key`. */
  async store(name: string, issued: IssuedCertificate): Promise<CertificateFiles> {
    return {
      certFile: await this.write(`${name}.crt`, issued.certificate),
      keyFile: await this.write(`${name}.key`, issued.key),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
