import { isIP } from 'node:net';
import {
  type ClientItem,
  clientTime,
  decodeKickRequest,
  decodeListClientsRequest,
  decodeWatchClientsRequest,
  encodeGetClientsResponse,
  encodeJsonData,
  Key,
  type KickRequest,
  MAX_SENT_PACKET_LENGTH,
  RequestError,
  ResultCode,
  responseText,
} from '@sluice/wire';
import { parseNetwork } from '../address-network.js';
import { whenKnown } from '../coordination/answer.js';
import type { CommandHandler, Session } from '../protocol.js';
import type { ConnectedClient, ServerControls } from '../server-controls.js';
import type { ClientWatch } from './client-watch.js';
import { audit, requireAdmin, visibleClients } from './permission.js';

/** GetClients (specification 5) and its extensions (docs/protocol.md, section 17). */
export function clientCommands(
  session: Session,
  controls: ServerControls,
  watch: ClientWatch,
): [string, CommandHandler][] {
  return [
    [
      'getclients',
      ({ command }) =>
        whenKnown(visibleClients(session, controls), (clients) => {
          const answer = encodeGetClientsResponse(command, clients.map(itemOf));
          if (answer.length + 4 > MAX_SENT_PACKET_LENGTH)
            throw new RequestError(ResultCode.UnknownError, 'more connections than one packet can list');
          session.reply(answer);
        }),
    ],
    [
      'listclients',
      ({ command, text }) => {
        const { after, limit } = decodeListClientsRequest(text);
        return whenKnown(visibleClients(session, controls), (clients) => {
          const page = clients.filter(({ id }) => id > after);
          const records = page.slice(0, limit).map((client) => client.record());
          const more = page.length > limit ? 'yes' : 'no';
          session.reply(
            responseText(command, ResultCode.Success, [
              [Key.Count, records.length],
              [Key.More, more],
            ]),
            encodeJsonData(records),
          );
        });
      },
    ],
    [
      'watchclients',
      ({ command, text }) => {
        const intervalMs = decodeWatchClientsRequest(text);
        return watch.start(intervalMs, () => session.reply(responseText(command, ResultCode.Success)));
      },
    ],
    [
      'kick',
      ({ command, text }) => {
        const kick = decodeKickRequest(text);
        const isWanted = kickedBy(session, kick);
        return whenKnown(controls.clients(), (clients) => {
          const chosen = clients.filter(isWanted);
          if (!kick.isDryRun) {
            auditKick(session, kick, chosen.length);
            for (const client of chosen) client.destroy('kicked');
          }
          session.reply(responseText(command, ResultCode.Success, [[Key.Count, chosen.length]]));
        });
      },
    ],
  ];
}

function itemOf(client: ConnectedClient): ClientItem {
  const { localAddress, remoteAddress } = client.record();
  return {
    localAddress,
    remoteAddress,
    protocol: client.protocol,
    userName: client.userName ?? '',
    boundAt: clientTime(client.boundAt),
    lastActivityAt: clientTime(client.lastActivityAt),
  };
}

/** @throws {RequestError} codes 6 and 13 */
function kickedBy(session: Session, kick: KickRequest): (client: ConnectedClient) => boolean {
  const isInNetwork = kick.address === undefined ? () => true : parseNetwork(kick.address);
  if (!isInNetwork)
    throw new RequestError(ResultCode.ParameterError, 'Address is no address and no network like 10.0.0.0/8');
  requireAdmin(session);
  return (client) =>
    (client.id !== session.id || kick.id === session.id) &&
    (kick.id === undefined || client.id === kick.id) &&
    (kick.user === undefined || client.userName === kick.user) &&
    (kick.idleMs === undefined || client.idleMs >= kick.idleMs) &&
    (isIP(client.remoteAddress) === 0 ? kick.address === undefined : isInNetwork(client.remoteAddress));
}

function auditKick(session: Session, { id, user, address, idleMs }: KickRequest, count: number): void {
  const given = Object.entries({ id, name: user, address, idleMs }).filter(([, value]) => value !== undefined);
  audit(session, 'kick', { ...(Object.fromEntries(given) as Record<string, string | number>), count });
}
