import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { makeSelfSigned } from '@sluice/server';
import type { Invocation } from '../command.js';
import { CommandError, usageError } from '../command-error.js';
import type { tlsCommandOptions } from '../commands/tls.js';
import { ExitCode } from '../exit-code.js';
import { localFailure } from '../failure.js';
import { addressText } from '../options/address.js';
import { stdout } from '../terminal/standard-streams.js';

/** `sluice tls self-signed`. */
export async function selfSigned({ options, operands }: Invocation<typeof tlsCommandOptions>): Promise<ExitCode> {
  const [action, ...others] = operands;
  if (action !== 'self-signed' || others.length > 0) throw usageError('write sluice tls self-signed');
  const hosts = hostsOf(options.host);
  const { certificate, key, fingerprint, validTo } = issue(hosts, options.days);
  const certFile = path.join(options.out, 'server.crt');
  const keyFile = path.join(options.out, 'server.key');
  await mkdir(options.out, { recursive: true }).catch((error: unknown) => {
    throw localFailure('make', options.out, error);
  });
  if (options.force) {
    await replace(keyFile, key, 0o600);
    await replace(certFile, certificate, 0o644);
  } else {
    await create(keyFile, key, 0o600);
    await create(certFile, certificate, 0o644).catch(async (error: unknown) => {
      await rm(keyFile); // just made: without its certificate it is of no use, and in the way of the next attempt
      throw error;
    });
  }
  const address = addressText({ host: hosts[0], port: 9999 });
  stdout.write(
    `made ${certFile} and ${keyFile}, valid until ${validTo.toISOString().slice(0, 10)}, for ${hosts.join(', ')}\n` +
      `SHA-256 ${fingerprint}\n` +
      `serve with: sluice serve --tls-cert ${shellWord(certFile)} --tls-key ${shellWord(keyFile)}\n` +
      `reach with: sluice ls sluices://NAME@${address}/ --tls-fingerprint ${fingerprint}\n`,
  );
  return ExitCode.Done;
}

function hostsOf(given: readonly string[]): readonly [string, ...string[]] {
  const [first, ...others] = given;
  if (first !== undefined) return [first, ...others];
  const own = os.hostname();
  const isUsable = /^[a-z\d](?:[a-z\d.-]{0,251}[a-z\d])?$/i.test(own) && own !== 'localhost';
  return ['localhost', '127.0.0.1', '::1', ...(isUsable ? [own] : [])];
}

function issue(hosts: readonly [string, ...string[]], days: number) {
  try {
    return makeSelfSigned(hosts, days);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw usageError(`--host takes a name or an address: ${error.message}`);
  }
}

/** @throws {CommandError} exit code 1, also when the file is there */
async function create(file: string, text: string, mode: number): Promise<void> {
  await writeFile(file, text, { flag: 'wx', mode }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw localFailure('write', file, error);
    const text = `${file} is there already: replace it with --force, or choose another directory with --out`;
    throw new CommandError(ExitCode.Failed, text, { cause: error });
  });
}

/** The old file or the new one is there at any time, and the new one never has the rights of the old one. */
async function replace(file: string, text: string, mode: number): Promise<void> {
  const temporary = `${file}.${process.pid}`;
  await create(temporary, text, mode);
  await rename(temporary, file).catch(async (error: unknown) => {
    await rm(temporary);
    throw localFailure('write', file, error);
  });
}

/** As a shell takes it for one word. */
function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
