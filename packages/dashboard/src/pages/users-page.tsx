import { useEffect, useMemo } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { Button } from '../components/button.js';
import { EmptyState, Loading } from '../components/empty-state.js';
import { Card, PageFrame } from '../components/page.js';
import { type ConnectedUser, connectedUsers } from '../model/connected-users.js';
import { counted, formatBytes, formatCount, formatRate } from '../model/quantities.js';
import { visibleName } from '../model/remote-names.js';
import { ageText } from '../model/time-text.js';
import { askKickUser } from './kick.js';

/** Who is connected, by user; and how users are managed. */
export function UsersPage() {
  const { connections: feed } = useVisit();
  useEffect(() => feed.retain(), [feed]);
  const connections = feed.connections.value;
  const users = useMemo(() => connections && connectedUsers(connections), [connections]);
  return (
    <PageFrame
      title="Users"
      note={users && `${counted(users.filter(({ name }) => name !== '').length, 'user')} connected`}
    >
      {feed.problem.value && <p class="problem">{feed.problem.value}</p>}
      {users === undefined ? (
        <Loading what="Asking who is connected …" />
      ) : users.length === 0 ? (
        <EmptyState icon="users" title="Nobody is connected">
          <p>Users appear here as long as they have a connection.</p>
        </EmptyState>
      ) : (
        <UserTable users={users} />
      )}
      <Card title="Managing users">
        <p>
          Users are kept in a file beside the server, and managed from a terminal on its machine. A running server sees
          a change within some seconds, and ends the connections of users who may not log in any more.
        </p>
        <dl class="commands">
          {COMMANDS.map(([command, text]) => (
            <div key={command}>
              <dt>
                <code>{command}</code>
              </dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      </Card>
    </PageFrame>
  );
}

const COMMANDS = [
  ['sluice user list', 'all users, also those who are not connected'],
  ['sluice user add NAME', 'a new user; asks for the password'],
  ['sluice user passwd NAME', 'another password; ends the connections of the user'],
  ['sluice user set NAME --role read-only', 'another role: admin, user or read-only'],
  ['sluice user set NAME --quota 10G', 'how much may be below the root of the user'],
  ['sluice user disable NAME', 'keeps a user out, for now'],
  ['sluice user rm NAME', 'removes a user; the files stay'],
] as const;

function UserTable({ users }: { readonly users: readonly ConnectedUser[] }) {
  const dashboard = useDashboard();
  const { session } = useVisit();
  const nowMs = Date.now();
  return (
    <div class="card table-place">
      <table class="table" data-testid="users-table">
        <thead>
          <tr>
            <th scope="col">User</th>
            <th scope="col" class="number">
              Connections
            </th>
            <th scope="col" class="number hide-narrow">
              Transfers
            </th>
            <th scope="col" class="number hide-narrow">
              Receiving
            </th>
            <th scope="col" class="number hide-narrow">
              Sending
            </th>
            <th scope="col" class="number hide-narrow">
              Moved
            </th>
            <th scope="col" class="number hide-narrow">
              Idle
            </th>
            <th scope="col">
              <span class="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {users.map((user) => (
            <tr key={user.name}>
              <th scope="row">
                {user.name === '' ? (
                  <span class="muted">not logged in</span>
                ) : (
                  <span class="user">
                    <span class="avatar" aria-hidden="true">
                      {[...visibleName(user.name)][0]?.toUpperCase()}
                    </span>
                    <bdi>{visibleName(user.name)}</bdi>
                    {user.name === session.user && <span class="tag">you</span>}
                  </span>
                )}
              </th>
              <td class="number">{formatCount(user.connections)}</td>
              <td class="number hide-narrow">{formatCount(user.transfers)}</td>
              <td class="number hide-narrow">{formatRate(user.receiveRate)}</td>
              <td class="number hide-narrow">{formatRate(user.sendRate)}</td>
              <td class="number hide-narrow">{formatBytes(user.receivedBytes + user.sentBytes)}</td>
              <td class="number hide-narrow">{ageText(user.lastActivityAt, nowMs)}</td>
              <td class="table-actions">
                {user.name !== '' && user.name !== session.user && (
                  <Button icon="kick" kind="quiet" onClick={() => void askKickUser(dashboard, user.name)}>
                    End all
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
