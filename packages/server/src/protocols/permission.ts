import { RequestError, ResultCode } from '@sluice/wire';
import { whenKnown } from '../coordination/answer.js';
import type { Answer } from '../coordination/coordinator.js';
import type { Session } from '../protocol.js';
import type { ConnectedClient, ServerControls } from '../server-controls.js';

/** To be called before anything is done to others, or to the server. @throws {RequestError} code 13 for who is no admin */
export function requireAdmin(session: Session): void {
  if (session.principal.role !== 'admin') throw new RequestError(ResultCode.NotPermitted, 'this needs the role admin');
}

/** Leaves the line that every action on others, or on the server, leaves; who and from where is in it. */
export function audit(
  session: Session,
  action: string,
  fields: Readonly<Record<string, string | number | boolean>>,
): void {
  session.log.warn('audit', { action, ...fields });
}

/** An admin sees all connections, everybody else those of the same user. */
export function visibleClients(session: Session, controls: ServerControls): Answer<readonly ConnectedClient[]> {
  const { role, userName } = session.principal;
  return whenKnown(controls.clients(), (clients) =>
    clients.filter((client) => role === 'admin' || client.userName === userName),
  );
}
