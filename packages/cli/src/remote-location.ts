import { type ParsedSluiceUrl, parseSluiceUrl } from '@sluice/client';
import { usageError } from './command-error.js';
import { addressText } from './options/address.js';

/** A place on a server, as an operand names it. */
export interface RemoteLocation {
  readonly endpoint: ParsedSluiceUrl['endpoint'];
  /** Relative to the user's root, with `/`, without one at either end; empty for the root itself. */
  readonly path: string;
  /** Written with a slash at its end, or the base itself: something goes into it. */
  readonly isDirectory: boolean;
}

/** Reads the operands that name something on a server. Its base is `SLUICE_URL`. */
export class RemoteNames {
  readonly #baseUrl: string | undefined;

  /** @param baseUrl of `SLUICE_URL`; checked when an operand needs it */
  constructor(baseUrl: string | undefined) {
    this.#baseUrl = baseUrl || undefined;
  }

  /** Whether `put` and `get` take the operand for a remote one: `sluice://…`, `:path`, `:`. */
  static isRemote(operand: string): boolean {
    return operand.startsWith(':') || hasScheme(operand);
  }

  /** The base itself, as a directory. @throws {CommandError} exit code 2 without `SLUICE_URL` @throws {ClientError} `ERR_URL` */
  base(): RemoteLocation {
    if (this.#baseUrl === undefined) {
      throw usageError('no server named: write sluice://user@host:port/path, or set SLUICE_URL');
    }
    const { endpoint, path } = parseSluiceUrl(this.#baseUrl);
    return { endpoint, path: normalPath(path), isDirectory: true };
  }

  /**
   * A URL; else a path below the base, with or without the colon that `put` and `get` need. One that begins with `/` is
   * below the root.
   *
   * @throws {CommandError} exit code 2 @throws {ClientError} `ERR_URL`
   */
  resolve(operand: string): RemoteLocation {
    if (hasScheme(operand)) {
      const { endpoint, path } = parseSluiceUrl(operand);
      return { endpoint, path: normalPath(path), isDirectory: namesDirectory(path) };
    }
    const base = this.base();
    const path = operand.startsWith(':') ? operand.slice(1) : operand;
    const full = path.startsWith('/') ? path : `${base.path}/${path}`;
    return { endpoint: base.endpoint, path: normalPath(full), isDirectory: namesDirectory(path) };
  }
}

/** The location as a URL, without user name and password. */
export function locationText({ host, port, isSecure }: ParsedSluiceUrl['endpoint'], path: string): string {
  const encoded = path.split('/').map((name) => encodeURIComponent(name));
  return `${isSecure ? 'sluices' : 'sluice'}://${addressText({ host, port })}/${encoded.join('/')}`;
}

export function joinRemote(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** The last name of a path; empty for the root. */
export function remoteName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The directory that a path is in; empty for the root, also of the root. */
export function remoteParent(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function hasScheme(operand: string): boolean {
  return /^sluices?:\/\//i.test(operand);
}

function namesDirectory(path: string): boolean {
  return /(^|\/)\.{0,2}$/.test(path);
}

function normalPath(path: string): string {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.pop() === undefined) throw usageError(`${path} leads out of the root of the server`);
  }
  return names.join('/');
}
