import { Feature, ProtocolFlag } from '@sluice/wire';
import type { LogHistory } from '../log-stream.js';
import type { CommandHandler, PacketProtocol, ProtocolHandler, Session } from '../protocol.js';
import type { ServerControls } from '../server-controls.js';
import { clientCommands } from './client-commands.js';
import { ClientWatch, WatchCount } from './client-watch.js';
import { explainCommand } from './explain-command.js';
import { LogFollowing } from './log-commands.js';
import type { LogReaders } from './log-readers.js';
import { serverCommands } from './server-commands.js';
import { userCommands } from './user-commands.js';

/** The log, for those who follow it. */
export interface FollowedLog {
  readonly journal: LogHistory;
  readonly readers: LogReaders;
}

/** The Control protocol. Specification 5; the extensions: docs/protocol.md, section 17. */
export function controlProtocol(controls: ServerControls, log: FollowedLog | undefined): PacketProtocol {
  const watches = new WatchCount();
  return {
    kind: 'packets',
    name: 'Control',
    flag: ProtocolFlag.Control,
    needsLogin: true,
    features: [Feature.Clients, Feature.ServerControl, Feature.Explain, Feature.Users, ...(log ? [Feature.Logs] : [])],
    open: (session) => new ControlHandler(session, controls, watches, log),
  };
}

class ControlHandler implements ProtocolHandler {
  readonly commands: ReadonlyMap<string, CommandHandler>;
  readonly isBusy = false;
  readonly isSending = false;
  readonly #watch: ClientWatch;
  readonly #logs: LogFollowing | undefined;

  constructor(session: Session, controls: ServerControls, watches: WatchCount, log: FollowedLog | undefined) {
    this.#watch = new ClientWatch(session, controls, watches);
    this.#logs = log && new LogFollowing(session, log.journal, log.readers);
    this.commands = new Map<string, CommandHandler>([
      ...clientCommands(session, controls, this.#watch),
      ...serverCommands(session, controls),
      explainCommand(session, controls),
      ...userCommands(session, controls),
      ...(this.#logs?.commands ?? []),
    ]);
  }

  onClosed(): void {
    this.#watch.stop();
    this.#logs?.[Symbol.dispose]();
  }
}
