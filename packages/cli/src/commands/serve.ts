import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { defineCommand } from '../command.js';
import { CommandError, usageError } from '../command-error.js';
import { ExitCode } from '../exit-code.js';
import { addressText } from '../options/address.js';
import { admissionOptions } from '../serve/admission-options.js';
import { deadlineOptions } from '../serve/deadline-options.js';
import { hookOptions } from '../serve/hook-options.js';
import { httpOptions } from '../serve/http-options.js';
import { logOptions, openServerLog } from '../serve/log-options.js';
import { memoryOf, memoryOptions } from '../serve/memory-options.js';
import { partialOptions, protocolOptions } from '../serve/protocol-options.js';
import { serveByWorkers, serveHere, serverOptionsOf } from '../serve/running-server.js';
import { tlsOptions } from '../serve/tls-options.js';
import { workerOptions, workersOf } from '../serve/worker-options.js';
import { stderr, stdout } from '../terminal/standard-streams.js';

/** What is under way when everything is cut may take so long to end, in milliseconds. */
const LAST_CALLS_MS = 1000;

type ServerPackage = typeof import('@sluice/server');

export const serve = defineCommand({
  name: 'serve',
  summary: 'Run a server for a directory',
  usage: '',
  isConfigurable: true,
  notes: [
    'Options also come from the environment, SLUICE_SERVE_ROOT for --root, and from the file of --config, a line root = "DIR" for --root. ' +
      'The command line comes before the environment, and that before the file. sluice config check looks whether all is right.',
    'Without --user and --users, the first start creates the user admin with a random password, prints it once, and keeps only ' +
      'what is needed to check it. SIGTERM and Ctrl-C let running transfers finish (see --drain-timeout); a second one ends at once.',
  ],
  options: {
    config: {
      kind: 'string',
      placeholder: 'FILE',
      summary: 'TOML file with options',
    },
    listen: {
      kind: 'address',
      placeholder: 'HOST:PORT',
      default: '127.0.0.1:9999',
      summary: 'address to listen on; [::1]:0 for IPv6 and a free port',
    },
    root: {
      kind: 'string',
      placeholder: 'DIR',
      default: './files',
      summary: 'directory that is served; must exist, only the default one is created',
    },
    user: {
      kind: 'string',
      placeholder: 'NAME:PASSWORD',
      repeatable: true,
      summary: 'a user who may log in; the process list shows it for a moment, so prefer --users',
    },
    users: {
      kind: 'string',
      placeholder: 'FILE',
      summary: 'file with users and what is needed to check their passwords',
    },
    ...workerOptions,
    ...admissionOptions,
    ...deadlineOptions,
    ...memoryOptions,
    durability: {
      kind: 'choice',
      placeholder: 'LEVEL',
      choices: ['durable', 'memory'],
      default: 'durable',
      summary: 'what an acknowledged upload has reached: durable, the disk; memory, the hands of the system',
    },
    ...partialOptions,
    ...hookOptions,
    ...protocolOptions,
    ...tlsOptions,
    ...httpOptions,
    'drain-timeout': {
      kind: 'duration',
      placeholder: 'TIME',
      min: 0,
      max: 86_400_000,
      default: 10_000,
      summary: 'how long running transfers may go on after SIGTERM',
    },
    ...logOptions,
  },
  examples: [
    { line: 'sluice serve', purpose: 'serve ./files on 127.0.0.1:9999' },
    {
      line: 'sluice serve --listen 0.0.0.0:9999 --root /srv/files --users /etc/sluice/users',
      purpose: 'serve a directory to the network',
    },
  ],
  async run({ options, given, operands }) {
    if (operands.length > 0) throw usageError(`serve takes no operands: ${operands[0]}`);
    const server = await import('@sluice/server');
    const { root, listen } = options;
    if (!given.has('root')) await mkdir(root, { recursive: true });
    await requireDirectory(root);
    const rootLock = await lockRoot(server, root);
    const memory = memoryOf(server, options, given);
    const waitingBytes = server.logWaitingBytes(memory.limitBytes);
    const opened = await openServerLog(server, root, options, given, waitingBytes).catch(async (error: unknown) => {
      const { localFailure } = await import('../failure.js');
      throw localFailure('open', options['log-file'] ?? `the log history below ${root}`, error);
    });
    const { log } = opened;
    const workers = workersOf(options);
    const invocation = { options, given };
    const shared = await serverOptionsOf(server, invocation);
    const { users, newPassword } = await findUsers(server, root, options.user, options.users);
    const drainRequest = new DrainRequest();
    const running = await start(
      () =>
        workers === 1
          ? serveHere(server, invocation, shared, users, log, drainRequest.make)
          : serveByWorkers(server, invocation, shared, workers, users, log, drainRequest.make),
      root,
      addressText(listen),
    ).catch((error: unknown) => {
      tellPassword(newPassword); // it is made, and would be lost
      throw error;
    });
    const signals = endSignals(drainRequest.promise);
    stdout.write(`listening on ${addressText(running.address)}\n`);
    stdout.write(`serving ${path.resolve(root)}\n`);
    if (running.http) stdout.write(`dashboard on ${running.http.scheme}://${addressText(running.http)}/\n`);
    tellPassword(newPassword);

    const several = workers > 1 ? { workers } : {};
    log.info('server started', { address: addressText(running.address), root: path.resolve(root), ...several });
    process.on('SIGHUP', () => {
      opened.reopen();
      void running.reload();
    });

    const { graceMs = options['drain-timeout'] } = await signals.first;
    const inUse = running.connections;
    if (inUse > 0) stderr.write(`sluice: ending; ${inUse} connections may finish, a second signal cuts them\n`);
    const cut = await Promise.race([running.drain(graceMs), signals.second, ended(graceMs + LAST_CALLS_MS)]);
    if (cut === undefined) await Promise.race([running.close(), ended(LAST_CALLS_MS)]);
    else if (cut > 0) stderr.write(`sluice: ${cut} connections were cut after ${graceMs} ms\n`);
    log.info('server ended');
    await Promise.race([opened.close(), ended(LAST_CALLS_MS)]);
    await Promise.race([rootLock?.close(), ended(LAST_CALLS_MS)]);
    // Not by itself: a disk that does not answer would keep the process for as long as it likes.
    process.exit(ExitCode.Done);
  },
});

function tellPassword(password: string | undefined): void {
  if (password !== undefined) stdout.write(`made the user admin with the password ${password} (shown this once)\n`);
}

/** Resolves after so many milliseconds. */
function ended(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined));
}

/** @throws {CommandError} exit code 1 */
export async function requireDirectory(root: string): Promise<void> {
  const { stat } = await import('node:fs/promises');
  const found = await stat(root).catch((error: NodeJS.ErrnoException) => {
    const hint =
      error.code === 'ENOENT'
        ? `does not exist: create it (mkdir -p ${root}) or name another with --root`
        : `cannot be used (${error.code})`;
    throw new CommandError(ExitCode.Failed, `the root ${root} ${hint}`, { cause: error });
  });
  if (!found.isDirectory())
    throw new CommandError(ExitCode.Failed, `the root ${root} is not a directory: name one with --root`);
}

/** @returns `undefined` where there can be no lock @throws {CommandError} exit code 1 */
async function lockRoot({ RootLock, StorageError }: ServerPackage, root: string) {
  try {
    return await RootLock.take(root);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const text =
      error.code === 'ERR_IN_USE'
        ? `the root ${root} is served already: stop the other server, or serve another directory with --root`
        : `the root ${root}, or .sluice in it, cannot be used: ${error.message}`;
    throw new CommandError(ExitCode.Failed, text, { cause: error });
  }
}

/** The users of the command line, of a users file, or of the file that the first start without either has made. */
async function findUsers(
  { UserStore, UserError, ownUsersFile, parseUserOption }: ServerPackage,
  root: string,
  given: readonly string[],
  file: string | undefined,
) {
  if (given.length > 0 && file !== undefined) throw usageError('give users by --user or by --users, not by both');
  try {
    if (given.length > 0) return { users: await UserStore.fromPairs(given.map(parseUserOption)) };
    if (file !== undefined) return { users: await UserStore.load(file) };
    const ownFile = ownUsersFile(root);
    try {
      return { users: await UserStore.load(ownFile) };
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== 'ERR_USERS_FILE_MISSING') throw error;
    }
    const { store, password } = await UserStore.createWithAdmin(ownFile);
    return { users: store, newPassword: password };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const isUsage = error.code === 'ERR_USER_OPTION' || error.code === 'ERR_USER_NAME';
    throw new CommandError(isUsage ? ExitCode.Usage : ExitCode.Failed, error.message, { cause: error });
  }
}

/** @throws {CommandError} exit code 1, with what to do */
async function start<T>(open: () => Promise<T>, root: string, address: string): Promise<T> {
  try {
    return await open();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const [option, where] =
      error instanceof Error && error.name === 'HttpAddressError'
        ? ['--http, or give --http off', (error as Error & { readonly address: string }).address]
        : ['--listen', address];
    const hints: Record<string, string> = {
      EADDRINUSE: `it is in use: stop the other server or choose another port with ${option}`,
      EACCES: `the system does not allow it: choose a port above 1023 with ${option}`,
      EADDRNOTAVAIL: `this machine does not have that address: choose another with ${option}`,
      ENOTFOUND: `there is no such host: choose another with ${option}`,
    };
    const hint = hints[code];
    if (code === 'ERR_OPTION_RANGE') throw usageError((error as Error).message);
    if (error instanceof Error && error.name === 'StorageError') {
      const text = `the root ${root}, or .sluice in it, cannot be used: ${error.message}`;
      throw new CommandError(ExitCode.Failed, text, { cause: error });
    }
    if (hint) throw new CommandError(ExitCode.Failed, `cannot listen on ${where}: ${hint}`, { cause: error });
    throw error;
  }
}

/** Why a server ends, and how long what is begun may go on; `undefined`: as the options say. */
interface End {
  readonly graceMs: number | undefined;
}

/** A drain that an operator asks for over the Control protocol. */
class DrainRequest {
  readonly promise: Promise<End>;
  #resolve!: (end: End) => void;

  constructor() {
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  readonly make = (graceMs: number | undefined): void => this.#resolve({ graceMs });
}

/** Resolve at the first and at the second SIGTERM or SIGINT; a drain that was asked for counts as a first one. */
function endSignals(drainRequest: Promise<End>): { readonly first: Promise<End>; readonly second: Promise<undefined> } {
  let count = 0;
  let [onFirst, onSecond]: (() => void)[] = [];
  const second = new Promise<undefined>((resolve) => {
    onSecond = () => resolve(undefined);
  });
  const signal = new Promise<End>((resolve) => {
    onFirst = () => resolve({ graceMs: undefined });
  });
  const onSignal = (): void => {
    count += 1;
    if (count === 1) onFirst?.();
    else onSecond?.();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  drainRequest.then(() => {
    count += 1;
  });
  return { first: Promise.race([signal, drainRequest]), second };
}
