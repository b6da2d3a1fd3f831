import {
  decodeListUsersRequest,
  decodeRemoveUserRequest,
  decodeSetUserRequest,
  encodeJsonData,
  encodeListUsersResponse,
  ResultCode,
  responseText,
  type SetUserRequest,
  type UserRecord,
} from '@sluice/wire';
import type { CommandHandler, Session } from '../protocol.js';
import type { ServerControls } from '../server-controls.js';
import { audit, requireAdmin } from './permission.js';

/** Records of one answer, in bytes; at least one goes into each. */
const MAX_PAGE_BYTES = 1 << 20;

/** Users, for admins. docs/protocol.md, section 17.20. */
export function userCommands(session: Session, { users }: ServerControls): [string, CommandHandler][] {
  /** Answers what has been done when it holds everywhere. */
  const answer = async (command: string, name: string): Promise<void> => {
    const reply = (): void => session.reply(responseText(command, ResultCode.Success));
    if (name !== session.principal.userName) {
      await users.apply();
      return reply();
    }
    // With the change this connection may end at once, so the answer goes first.
    reply();
    session.close('user-changed');
    if (!session.gone.aborted) await new Promise((resolve) => session.gone.addEventListener('abort', resolve));
    await users.apply();
  };
  return [
    [
      'listusers',
      async ({ command, text }) => {
        const { after, limit } = decodeListUsersRequest(text);
        requireAdmin(session);
        const all = await users.list();
        const behind = after === undefined ? all : all.filter(({ name }) => name > after);
        const page = pageOf(behind.slice(0, limit));
        const more = page.length < behind.length;
        session.reply(
          encodeListUsersResponse(command, { users: page, source: users.source, more }),
          encodeJsonData(page),
        );
      },
    ],
    [
      'setuser',
      async ({ command, text }) => {
        const change = decodeSetUserRequest(text);
        requireAdmin(session);
        await users.set(session.principal.userName ?? '', change);
        audit(session, change.isNew ? 'add-user' : 'set-user', auditedFields(change));
        await answer(command, change.name);
      },
    ],
    [
      'removeuser',
      async ({ command, text }) => {
        const name = decodeRemoveUserRequest(text);
        requireAdmin(session);
        await users.remove(session.principal.userName ?? '', name);
        audit(session, 'remove-user', { name });
        await answer(command, name);
      },
    ],
  ];
}

function pageOf(records: readonly UserRecord[]): readonly UserRecord[] {
  let bytes = 0;
  const end = records.findIndex((record, index) => {
    bytes += encodeJsonData(record).length;
    return bytes > MAX_PAGE_BYTES && index > 0;
  });
  return end < 0 ? records : records.slice(0, end);
}

/** What was given, but nothing of a verifier. */
function auditedFields(change: SetUserRequest): Record<string, string | number | boolean> {
  const { name, role, root, quotaBytes, isDisabled, expires, verifier } = change;
  return {
    name,
    ...(role !== undefined && { role }),
    ...(root !== undefined && { root: root || '/' }),
    ...(quotaBytes !== undefined && { quota: quotaBytes ?? 'none' }),
    ...(isDisabled !== undefined && { disabled: isDisabled }),
    ...(expires !== undefined && { expires: expires ?? 'never' }),
    ...(verifier && { password: 'new' }),
  };
}
