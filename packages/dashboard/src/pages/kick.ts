import type { Dashboard } from '../app/dashboard.js';
import { counted } from '../model/quantities.js';
import { visibleName } from '../model/remote-names.js';
import type { ConnectionRecord } from '../server-api.js';

/** Ends a connection, if the user really wants that. */
export async function askKick(
  dashboard: Dashboard,
  { id, user, remoteAddress, transfer }: ConnectionRecord,
): Promise<void> {
  const who = user === undefined ? 'somebody without a login' : visibleName(user);
  const isAtWork = transfer ? ` It is moving ${visibleName(transfer.name)}; an upload can be resumed later.` : '';
  const isSure = await dashboard.questions.confirm({
    title: `End connection ${id}?`,
    text: `It belongs to ${who} at ${remoteAddress}.${isAtWork}`,
    action: 'End connection',
    isDangerous: true,
  });
  if (!isSure) return;
  await dashboard.attempt(
    async () => {
      const count = await dashboard.api.kick({ id });
      dashboard.toasts.done(count > 0 ? `Connection ${id} was ended.` : `Connection ${id} had ended already.`);
    },
    (text) => `Connection ${id} was not ended: ${text}`,
  );
}

/** Ends all connections of a user, if the one who asks really wants that. */
export async function askKickUser(dashboard: Dashboard, user: string): Promise<void> {
  const name = visibleName(user);
  await dashboard.attempt(
    async () => {
      const meant = await dashboard.api.kick({ user, isDryRun: true });
      const isSure = await dashboard.questions.confirm({
        title: `End ${counted(meant, 'connection')} of ${name}?`,
        text: `${name} can log in again at once. To keep ${name} out, disable the user.`,
        action: 'End them',
        isDangerous: true,
      });
      if (!isSure) return;
      const count = await dashboard.api.kick({ user });
      dashboard.toasts.done(`${counted(count, 'connection')} of ${name} ${count === 1 ? 'was' : 'were'} ended.`);
    },
    (text) => `The connections of ${name} were not ended: ${text}`,
  );
}
