import { useState } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { Button, IconButton } from '../components/button.js';
import { Card } from '../components/page.js';
import { formatBytes, formatCount } from '../model/quantities.js';
import { visibleName } from '../model/remote-names.js';
import { stateOf } from '../model/user-form.js';
import type { ServerUsers, UserRecord } from '../server-api.js';
import { askDisableUser, askRemoveUser } from './user-actions.js';
import { PasswordDialog, UserDialog } from './user-dialog.js';
import { UserName } from './user-name.js';

interface AccountsTableProps {
  readonly listed: ServerUsers;
  /** How many connections a user has. */
  readonly connectionsOf: (name: string) => number;
  readonly onChanged: () => void;
}

/** What is being asked for. */
type Open =
  | { readonly kind: 'add' }
  | { readonly kind: 'edit'; readonly user: UserRecord }
  | { readonly kind: 'password'; readonly user: UserRecord };

/** All users of the server, and what can be done with them. */
export function AccountsTable({ listed: { users, source }, connectionsOf, onChanged }: AccountsTableProps) {
  const [open, setOpen] = useState<Open | undefined>();
  const nowMs = Date.now();
  const isChangeable = source === 'file';
  const close = (isChanged: boolean): void => {
    setOpen(undefined);
    if (isChanged) onChanged();
  };
  return (
    <Card
      title="All users"
      actions={
        isChangeable && (
          <Button icon="plus" kind="primary" onClick={() => setOpen({ kind: 'add' })} testId="add-user">
            Add user
          </Button>
        )
      }
    >
      <div class="table-place">
        <table class="table" data-testid="accounts-table">
          <thead>
            <tr>
              <th scope="col">User</th>
              <th scope="col">Role</th>
              <th scope="col" class="hide-narrow">
                Root
              </th>
              <th scope="col" class="number hide-narrow">
                Quota
              </th>
              <th scope="col">State</th>
              <th scope="col" class="number hide-narrow">
                Connections
              </th>
              {isChangeable && (
                <th scope="col">
                  <span class="sr-only">Actions</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {users.map((user) => (
              <tr key={user.name}>
                <th scope="row">
                  <UserName name={user.name} />
                </th>
                <td>{user.role}</td>
                <td class="hide-narrow">
                  <bdi>/{visibleName(user.root)}</bdi>
                </td>
                <td class="number hide-narrow">{user.quotaBytes === undefined ? '–' : formatBytes(user.quotaBytes)}</td>
                <td>{stateText(user, nowMs)}</td>
                <td class="number hide-narrow">{formatCount(connectionsOf(user.name))}</td>
                {isChangeable && <AccountActions user={user} onOpen={setOpen} onChanged={onChanged} />}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {(open?.kind === 'add' || open?.kind === 'edit') && (
        <UserDialog
          user={open.kind === 'edit' ? open.user : undefined}
          taken={new Set(users.map(({ name }) => name))}
          onClose={close}
        />
      )}
      {open?.kind === 'password' && <PasswordDialog user={open.user} onClose={close} />}
    </Card>
  );
}

interface AccountActionsProps {
  readonly user: UserRecord;
  readonly onOpen: (open: Open) => void;
  readonly onChanged: () => void;
}

function AccountActions({ user, onOpen, onChanged }: AccountActionsProps) {
  const dashboard = useDashboard();
  const { session } = useVisit();
  const name = visibleName(user.name);
  const then = (asked: Promise<boolean>): void => void asked.then((isChanged) => isChanged && onChanged());
  return (
    <td class="table-actions">
      <div class="row-actions">
        <IconButton icon="edit" label={`Change ${name}`} onClick={() => onOpen({ kind: 'edit', user })} />
        <IconButton
          icon="lock"
          label={`Set the password of ${name}`}
          onClick={() => onOpen({ kind: 'password', user })}
        />
        {user.name !== session.user && (
          <>
            <IconButton
              icon={user.isDisabled ? 'play' : 'pause'}
              label={`${user.isDisabled ? 'Enable' : 'Disable'} ${name}`}
              onClick={() => then(askDisableUser(dashboard, user))}
            />
            <IconButton
              icon="trash"
              kind="danger"
              label={`Remove ${name}`}
              onClick={() => then(askRemoveUser(dashboard, user.name))}
            />
          </>
        )}
      </div>
    </td>
  );
}

function stateText(user: UserRecord, nowMs: number): string {
  const state = stateOf(user, nowMs);
  return state === 'active' && user.expires !== undefined ? `active until ${user.expires.slice(0, 10)}` : state;
}
