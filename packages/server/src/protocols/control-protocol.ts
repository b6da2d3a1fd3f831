import { Feature, ProtocolFlag } from '@sluice/wire';
import type { CommandHandler, PacketProtocol, ProtocolHandler, Session } from '../protocol.js';
import type { ServerControls } from '../server-controls.js';
import { clientCommands } from './client-commands.js';
import { ClientWatch, WatchCount } from './client-watch.js';
import { serverCommands } from './server-commands.js';

/** The Control protocol. Specification 5; the extensions: docs/protocol.md, section 17. */
export function controlProtocol(controls: ServerControls): PacketProtocol {
  const watches = new WatchCount();
  return {
    kind: 'packets',
    name: 'Control',
    flag: ProtocolFlag.Control,
    needsLogin: true,
    features: [Feature.Clients, Feature.ServerControl],
    open: (session) => new ControlHandler(session, controls, watches),
  };
}

class ControlHandler implements ProtocolHandler {
  readonly commands: ReadonlyMap<string, CommandHandler>;
  readonly isBusy = false;
  readonly isSending = false;
  readonly #watch: ClientWatch;

  constructor(session: Session, controls: ServerControls, watches: WatchCount) {
    this.#watch = new ClientWatch(session, controls, watches);
    this.commands = new Map<string, CommandHandler>([
      ...clientCommands(session, controls, this.#watch),
      ...serverCommands(session, controls),
    ]);
  }

  onClosed(): void {
    this.#watch.stop();
  }
}
