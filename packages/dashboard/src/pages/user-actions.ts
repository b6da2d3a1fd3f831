import type { Dashboard } from '../app/dashboard.js';
import { visibleName } from '../model/remote-names.js';
import type { UserRecord } from '../server-api.js';

/** Removes a user, if the one who asks really wants that. @returns whether something may have changed */
export async function askRemoveUser(dashboard: Dashboard, user: string): Promise<boolean> {
  const name = visibleName(user);
  const isSure = await dashboard.questions.confirm({
    title: `Remove ${name}?`,
    text: `The connections of ${name} end, and ${name} cannot log in any more. The files stay.`,
    action: 'Remove user',
    isDangerous: true,
  });
  if (!isSure) return false;
  return dashboard.attempt(
    async () => {
      await dashboard.api.removeUser(user);
      dashboard.toasts.done(`${name} was removed.`);
    },
    (text) => `${name} was not removed: ${text}`,
  );
}

/** Keeps a user out, if the one who asks really wants that; or lets one in again. @returns whether something may have changed */
export async function askDisableUser(dashboard: Dashboard, { name: user, isDisabled }: UserRecord): Promise<boolean> {
  const name = visibleName(user);
  const isSure =
    isDisabled ||
    (await dashboard.questions.confirm({
      title: `Disable ${name}?`,
      text: `The connections of ${name} end, and ${name} cannot log in until enabled again.`,
      action: 'Disable user',
      isDangerous: true,
    }));
  if (!isSure) return false;
  return dashboard.attempt(
    async () => {
      await dashboard.api.setUser({ name: user, isDisabled: !isDisabled });
      dashboard.toasts.done(`${name} was ${isDisabled ? 'enabled' : 'disabled'}.`);
    },
    (text) => `${name} was not ${isDisabled ? 'enabled' : 'disabled'}: ${text}`,
  );
}
