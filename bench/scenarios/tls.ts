import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Contender } from '../contenders/contender.js';
import { startListeningServer } from '../contenders/listening-server.js';
import { runTlsLoad } from '../contenders/load-client.js';
import { sftp } from '../contenders/sftp.js';
import { command, digest, serveArguments, unavailable, user } from '../contenders/sluice.js';
import { measure } from '../measure.js';
import type { ReadingContext, ReadingsScenario, Subject } from '../readings.js';
import { buildDirectory } from '../repository.js';
import type { Direction } from '../scenarios.js';
import type { Scratch } from '../scratch.js';

const PACKET_BYTES = 256 * 1024;
const SERVER_NAME = 'localhost';
const hasOpenssl = spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0;
const noCertificate = { unavailable: 'openssl is not installed, which makes the certificate' };

const sluiceTls: Contender = {
  name: 'sluice',
  description: 'sluice serve with a certificate; load program in Node, packets of 256 KiB',
  maxConnections: 1,
  limitName: '',
  ...(hasOpenssl ? unavailable : noCertificate),
  start: (scratch, root) => {
    const { certificate, key } = certificateIn(scratch);
    return startListeningServer(command, [...serveArguments(root), '--tls-cert', certificate, '--tls-key', key]);
  },
  transfer: (server, transfer, onStart) =>
    runTlsLoad(server, transfer, { kind: 'sluice', packetBytes: PACKET_BYTES, user, digest }, onStart),
};

const plainTls: Contender = {
  name: 'plain-tls',
  description: 'Node https server with stream pipelines (rivals/plain-http.ts); load program in Node',
  maxConnections: 1,
  limitName: '',
  ...(hasOpenssl ? {} : noCertificate),
  start: (scratch, root) => {
    const { certificate, key } = certificateIn(scratch);
    const program = path.join(buildDirectory, 'rivals', 'plain-http.js');
    return startListeningServer(process.execPath, [program, '--root', root, '--cert', certificate, '--key', key]);
  },
  transfer: (server, transfer, onStart) => runTlsLoad(server, transfer, { kind: 'http' }, onStart),
};

/** What is moved is encrypted: at both ends, so the client costs as much as the server, and its cores are told. */
export const TLS_SCENARIOS: readonly ReadingsScenario[] = (['upload', 'download'] as const).map((direction) => ({
  kind: 'readings',
  name: direction === 'upload' ? 'tls-up' : 'tls-down',
  description: `${direction} of one file, encrypted`,
  quantities: [
    { name: 'MB/s', better: 'more', digits: 0, hasRatios: true },
    { name: 'server CPU s/GB', better: 'less', digits: 2, hasRatios: true },
    { name: 'server peak MB', better: 'less', digits: 0 },
    { name: 'client cores', digits: 2 },
    { name: 'other cores', digits: 1 },
  ],
  plainName: plainTls.name,
  subjects: [sluiceTls, plainTls, sftp].map((contender) => subjectOf(contender, direction)),
  prepare: ({ scratch }) => scratch.serve(direction === 'download' ? 1 : 0),
}));

function subjectOf(contender: Contender, direction: Direction): Subject {
  const { name, description, unavailable: reason } = contender;
  return {
    name,
    description,
    ...(reason === undefined ? {} : { unavailable: reason }),
    measure: async ({ scratch, sizeBytes }: ReadingContext) => {
      const scenario = { kind: 'transfer', name: 'tls', direction, connections: 1 } as const;
      const sample = await measure(contender, scenario, sizeBytes, scratch);
      return {
        'MB/s': sample.bytes / sample.seconds / 1e6,
        'server CPU s/GB': (sample.serverCpuSeconds * 1e9) / sample.bytes,
        'server peak MB': sample.serverPeakBytes / 1e6,
        'client cores': sample.clientCpuSeconds / sample.seconds,
        'other cores': sample.otherBusyCores,
      };
    },
  };
}

/** A certificate that is made once for a run, and trusted by nobody but its load program, which does not ask. */
function certificateIn({ directory }: Scratch): { certificate: string; key: string } {
  const files = { certificate: path.join(directory, 'cert.pem'), key: path.join(directory, 'key.pem') };
  try {
    readFileSync(files.certificate);
  } catch {
    const subject = ['-subj', `/CN=${SERVER_NAME}`, '-days', '2', '-keyout', files.key, '-out', files.certificate];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const made = spawnSync('openssl', ['req', '-x509', ...curve, ...subject], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`openssl makes no certificate: ${made.stderr}`);
  }
  return files;
}
