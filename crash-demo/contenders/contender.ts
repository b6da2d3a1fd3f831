import type { Place } from '../place.js';

export type Direction = 'upload' | 'download';

/** What both sides call the file. */
export const CONTENT_NAME = 'content.bin';

/** A server that is ready for connections. */
export interface RunningServer {
  readonly port: number;
  /** SIGKILL to all its processes; returns when they are gone. */
  kill(): Promise<void>;
}

/** One attempt of a client. */
export interface Attempt {
  /** Of the link that leads to the server. */
  readonly port: number;
  /** Local file: what is uploaded, or where a download goes. It is in a folder of its own, where the client runs. */
  readonly localFile: string;
  /** Whether an earlier attempt has left something. */
  readonly isResume: boolean;
  /** Whether it is going to be broken: so it need not try again by itself. */
  readonly isToBreak: boolean;
  readonly place: Place;
}

export interface ClientCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A server with a client, used as their documentation says: one line of the table. */
export interface Contender {
  readonly name: string;
  readonly direction: Direction;
  /** What is run, for the reader. */
  readonly description: string;
  /** Versions of the programs. */
  readonly version: string | undefined;
  /** What is not installed; `undefined` when nothing is missing. */
  readonly missing: string | undefined;
  /** Why two uploads of one name do not meet here. */
  readonly writersNeverMeet?: string;
  startServer(place: Place): Promise<RunningServer>;
  client(attempt: Attempt): ClientCommand;
}

/** What of the programs is not there. */
export function missingOf(programs: Readonly<Record<string, string | undefined>>): string | undefined {
  const missing = Object.keys(programs).filter((name) => programs[name] === undefined);
  return missing.length === 0 ? undefined : missing.join(', ');
}
