import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import type { Power } from './power.js';
import { type FilePath, system } from './system-calls.js';
import type { Step } from './unsynced-data.js';

type Any = (...args: never[]) => unknown;
// biome-ignore lint/suspicious/noExplicitAny: what is wrapped has all kinds of arguments
type Args = any[];

const promises = { ...fs.promises };
const { O_CREAT, O_TRUNC, O_EXCL, O_RDONLY, O_WRONLY, O_RDWR, O_APPEND } = fs.constants;
const FLAGS: Readonly<Record<string, number>> = {
  r: O_RDONLY,
  'r+': O_RDWR,
  w: O_WRONLY | O_CREAT | O_TRUNC,
  wx: O_WRONLY | O_CREAT | O_TRUNC | O_EXCL,
  'w+': O_RDWR | O_CREAT | O_TRUNC,
  'wx+': O_RDWR | O_CREAT | O_TRUNC | O_EXCL,
  a: O_WRONLY | O_CREAT | O_APPEND,
  ax: O_WRONLY | O_CREAT | O_APPEND | O_EXCL,
  'a+': O_RDWR | O_CREAT | O_APPEND,
  'ax+': O_RDWR | O_CREAT | O_APPEND | O_EXCL,
};
/** Nobody uses them so far. Whoever begins to is told, and nothing is missed. */
const NOT_COVERED = ['copyFile', 'cp', 'mkdtemp'];

/** Replaces the functions of `node:fs` and `node:fs/promises` that change files, for everyone in this process. */
export async function wrapFiles(power: Power): Promise<void> {
  wrapNames(power);
  wrapOpen(power);
  wrapDescriptors(power);
  wrapWholeFiles();
  await wrapHandles(power);
  for (const name of NOT_COVERED) {
    const refuse = () => {
      throw new Error(`fs.${name} is not covered by the power cut: add it to wrapped-files.ts`);
    };
    replace(fs, { [name]: refuse, [`${name}Sync`]: refuse });
    replace(fs.promises, { [name]: refuse });
  }
  syncBuiltinESMExports();
}

function replace(target: object, functions: Readonly<Record<string, Any>>): void {
  Object.assign(target, functions);
}

/** All three forms of an operation that begins in one way. */
function wrapAll(power: Power, name: 'rename' | 'link' | 'symlink' | 'unlink' | 'rmdir', begin: (args: Args) => Step) {
  const direct = system[`${name}Sync`] as (...args: Args) => unknown;
  const pooled = promises[name] as (...args: Args) => Promise<unknown>;
  const later = (...args: Args) => power.later(guarded(begin, args), () => pooled(...args));
  replace(fs, {
    [`${name}Sync`]: (...args: Args) => power.now(guarded(begin, args), () => direct(...args), undefined),
    [name]: (...args: Args) => withCallback(later, args),
  });
  replace(fs.promises, { [name]: later });
}

/** A path that is not there is for the call itself to complain about. */
function guarded(begin: (args: Args) => Step | undefined, args: Args): () => Step | undefined {
  return () => {
    try {
      return begin(args);
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  };
}

function withCallback(work: (...args: Args) => Promise<unknown>, args: Args): void {
  const callback = args.at(-1) as (error: unknown, result?: unknown) => void;
  work(...args.slice(0, -1)).then(
    (result) => callback(null, result),
    (error) => callback(error),
  );
}

function wrapNames(power: Power): void {
  const { names } = power;
  wrapAll(power, 'rename', ([from, to]) => names.beginRename(from, to));
  wrapAll(power, 'link', ([, to]) => names.beginCreate(to));
  wrapAll(power, 'symlink', ([, to]) => names.beginCreate(to));
  wrapAll(power, 'unlink', ([file]) => names.beginRemove(file));
  wrapAll(power, 'rmdir', ([directory]) => names.beginRemoveDirectory(directory));

  const mkdirSync = (directory: FilePath, options?: fs.MakeDirectoryOptions | number): string | undefined => {
    const { recursive, mode } = typeof options === 'object' ? options : { recursive: false, mode: options };
    const isThere = recursive && system.existsSync(directory);
    if (isThere && system.statSync(directory).isDirectory()) return undefined;
    const made = recursive ? mkdirSync(path.dirname(String(directory)), options) : undefined;
    const begin = guarded(() => names.beginMakeDirectory(directory), []);
    power.now(begin, () => system.mkdirSync(directory, { ...(mode != null && { mode }) }), undefined);
    return made ?? (recursive ? String(directory) : undefined);
  };
  const rmSync = (target: FilePath, options: fs.RmOptions = {}): void => {
    const stats = system.lstatSync(target, { throwIfNoEntry: false });
    if (!stats && options.force) return;
    if (!stats?.isDirectory()) {
      fs.unlinkSync(target);
      return;
    }
    if (!options.recursive) system.rmSync(target, options); // which refuses
    for (const name of system.readdirSync(target)) rmSync(path.join(String(target), name), options);
    fs.rmdirSync(target);
  };
  replaceBySync(power, 'mkdir', mkdirSync);
  replaceBySync(power, 'rm', rmSync);
}

/** What is rare is done while everybody waits, in all three forms. */
function replaceBySync(power: Power, name: string, direct: (...args: Args) => unknown): void {
  const later = async (...args: Args) => {
    const result = direct(...args);
    return power.isCut ? new Promise(() => {}) : result;
  };
  replace(fs, { [`${name}Sync`]: direct, [name]: (...args: Args) => withCallback(later, args) });
  replace(fs.promises, { [name]: later });
}

function wrapOpen(power: Power): void {
  const prepare = (file: FilePath, given: string | number = 'r') => {
    const flags = typeof given === 'number' ? given : FLAGS[given];
    if (flags === undefined) throw new Error(`open with ${given} is not covered by the power cut`);
    const stats = flags & O_CREAT || flags & O_TRUNC ? system.statSync(file, { throwIfNoEntry: false }) : undefined;
    return {
      creates: (flags & O_CREAT) !== 0 && !stats,
      // A file that is emptied by opening it keeps its bytes until it is open, so that they can be brought back.
      cuts: (flags & O_TRUNC) !== 0 && (flags & O_EXCL) === 0 && stats?.isFile() === true && stats.size > 0,
      flags,
    };
  };
  const openSync = (file: FilePath, given?: string | number, mode?: number): number => {
    const { creates, cuts, flags } = prepare(file, given);
    const open = () => system.openSync(file, cuts ? flags & ~O_TRUNC : flags, mode);
    const fd = creates ? power.now(() => power.names.beginCreate(file), open, -1) : open();
    if (cuts) fs.ftruncateSync(fd, 0);
    return fd;
  };
  const open = async (file: FilePath, given?: string | number, mode?: number): Promise<FileHandle> => {
    const { creates, cuts, flags } = prepare(file, given);
    const opened = () => promises.open(file, cuts ? flags & ~O_TRUNC : flags, mode);
    const begin = guarded(() => power.names.beginCreate(file), []);
    const handle = creates ? await power.later(begin, opened) : await opened();
    if (cuts) fs.ftruncateSync(handle.fd, 0);
    return handle;
  };
  replaceBySync(power, 'open', openSync as (...args: Args) => unknown);
  replace(fs.promises, { open });
}

function wrapDescriptors(power: Power): void {
  const { data } = power;
  const begin = {
    write: ([fd, bytes, ...rest]: Args) => data.beginWrite(fd, positionIn(bytes, rest), lengthIn(bytes, rest)),
    writev: ([fd, buffers, position]: Args) => data.beginWrite(fd, position ?? null, totalLength(buffers)),
    ftruncate: ([fd, bytes]: Args) => data.beginTruncate(fd, bytes ?? 0),
    fsync: ([fd]: Args) => beginSync(power, fd),
    fdatasync: ([fd]: Args) => beginSync(power, fd),
  };
  for (const [name, beginOf] of Object.entries(begin)) {
    const direct = system[`${name}Sync` as 'writeSync'] as (...args: Args) => unknown;
    const pooled = system[name as 'write'] as (...args: Args) => void;
    const bytesOf = ([, first, ...rest]: Args) =>
      name === 'write' ? lengthIn(first, rest) : name === 'writev' ? totalLength(first) : undefined;
    const later = (...args: Args) =>
      power.later(
        () => beginOf(args),
        () =>
          new Promise((resolve, reject) => {
            pooled(...args, (error: unknown, result: unknown) => (error ? reject(error) : resolve(result)));
          }),
      );
    replace(fs, {
      [`${name}Sync`]: (...args: Args) =>
        power.now(
          () => beginOf(args),
          () => direct(...args),
          bytesOf(args),
        ),
      [name]: (...args: Args) => withCallback(later, args),
    });
  }
}

async function wrapHandles(power: Power): Promise<void> {
  const probe = await promises.open(process.execPath, 'r');
  const prototype = Object.getPrototypeOf(probe) as Record<
    string,
    (this: FileHandle, ...args: Args) => Promise<unknown>
  >;
  await probe.close();
  const { data } = power;
  const begin: Record<string, (fd: number, args: Args) => Step | undefined> = {
    write: (fd, [bytes, ...rest]) => data.beginWrite(fd, positionIn(bytes, rest), lengthIn(bytes, rest)),
    writev: (fd, [buffers, position]) => data.beginWrite(fd, position ?? null, totalLength(buffers)),
    truncate: (fd, [bytes]) => data.beginTruncate(fd, bytes ?? 0),
    sync: (fd) => beginSync(power, fd),
    datasync: (fd) => beginSync(power, fd),
  };
  for (const [name, beginOf] of Object.entries(begin)) {
    const original = prototype[name]!;
    prototype[name] = function (...args) {
      const outcome = (result: unknown) => (result as { bytesWritten?: number } | undefined)?.bytesWritten;
      return power.later(
        () => beginOf(this.fd, args),
        () => original.apply(this, args),
        outcome,
      );
    };
  }
  const writeAll = async (handle: FileHandle, content: string | Uint8Array, encoding: BufferEncoding | undefined) => {
    const bytes = contentBytes(content, encoding);
    for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at, null)).bytesWritten;
  };
  prototype['writeFile'] = prototype['appendFile'] = async function (content, options) {
    await writeAll(this, content, encodingIn(options));
  };
}

/** `writeFile` and its kin call what is inside Node, not what is wrapped: here they are made of what is wrapped. */
function wrapWholeFiles(): void {
  const writeTo = (flag: string) => (file: FilePath | number, content: string | Uint8Array, options?: Args[0]) => {
    const fd = typeof file === 'number' ? file : fs.openSync(file, options?.flag ?? flag, options?.mode);
    try {
      const bytes = contentBytes(content, encodingIn(options));
      for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at);
      if (options?.flush) fs.fsyncSync(fd);
    } finally {
      if (typeof file !== 'number') system.closeSync(fd);
    }
  };
  const truncateSync = (file: FilePath, bytes = 0): void => {
    const fd = fs.openSync(file, 'r+');
    try {
      fs.ftruncateSync(fd, bytes);
    } finally {
      system.closeSync(fd);
    }
  };
  const functions = { writeFile: writeTo('w'), appendFile: writeTo('a'), truncate: truncateSync };
  for (const [name, direct] of Object.entries(functions) as [string, (...args: Args) => void][]) {
    const later = async ([target, ...args]: Args): Promise<unknown> =>
      typeof target?.fd === 'number' ? target[name](...args) : direct(target, ...args);
    replace(fs, { [`${name}Sync`]: direct, [name]: (...args: Args) => withCallback((...rest) => later(rest), args) });
    replace(fs.promises, { [name]: (...args: Args) => later(args) });
  }
}

function beginSync(power: Power, fd: number): Step | undefined {
  return system.fstatSync(fd).isDirectory() ? power.names.beginSync(fd) : power.data.beginSync(fd);
}

/** Of `write(fd, bytes, offset, length, position)`, `(fd, bytes, { position })` and `(fd, text, position)`: what follows `bytes`. */
function positionIn(bytes: string | Uint8Array, [first, , third]: Args): number | null {
  if (typeof bytes === 'string') return numberOrNull(first);
  if (first !== null && typeof first === 'object') return numberOrNull(first.position);
  return numberOrNull(third ?? null);
}

function lengthIn(bytes: string | Uint8Array, [first, second]: Args): number {
  if (typeof bytes === 'string') {
    return Buffer.byteLength(bytes, typeof second === 'string' ? (second as BufferEncoding) : 'utf8');
  }
  const { offset = 0, length } = (typeof first === 'object' && first) || { offset: first ?? 0, length: second };
  return length ?? bytes.byteLength - offset;
}

function numberOrNull(position: unknown): number | null {
  return typeof position === 'number' && position >= 0
    ? position
    : typeof position === 'bigint'
      ? Number(position)
      : null;
}

function totalLength(buffers: readonly Uint8Array[]): number {
  return buffers.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

function encodingIn(options: Args[0]): BufferEncoding | undefined {
  return typeof options === 'string' ? (options as BufferEncoding) : (options?.encoding ?? undefined);
}

function contentBytes(content: unknown, encoding: BufferEncoding | undefined): Uint8Array {
  if (typeof content === 'string') return Buffer.from(content, encoding);
  if (ArrayBuffer.isView(content)) return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  throw new Error('only text and bytes are covered by the power cut');
}
