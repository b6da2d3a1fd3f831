import { useEffect, useMemo } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { Button } from '../components/button.js';
import { EmptyState, Loading } from '../components/empty-state.js';
import { Card, PageFrame } from '../components/page.js';
import { type ConnectedUser, connectedUsers } from '../model/connected-users.js';
import { counted, formatBytes, formatCount, formatRate } from '../model/quantities.js';
import { ageText } from '../model/time-text.js';
import { AccountsTable } from './accounts-table.js';
import { askKickUser } from './kick.js';
import { useUsers } from './use-users.js';
import { UserName } from './user-name.js';

/** All users, for who may change them; who is connected; and how users are managed elsewhere. */
export function UsersPage() {
  const { connections: feed } = useVisit();
  useEffect(() => feed.retain(), [feed]);
  const connections = feed.connections.value;
  const connected = useMemo(() => connections && connectedUsers(connections), [connections]);
  const { users: listed, problem, read } = useUsers();
  const connectionsOf = (name: string): number => connected?.find((each) => each.name === name)?.connections ?? 0;
  return (
    <PageFrame
      title="Users"
      note={connected && `${counted(connected.filter(({ name }) => name !== '').length, 'user')} connected`}
    >
      {(feed.problem.value || problem) && <p class="problem">{feed.problem.value || problem}</p>}
      {listed ? (
        <AccountsTable listed={listed} connectionsOf={connectionsOf} onChanged={read} />
      ) : (
        problem === '' && <Loading what="Asking for the users …" />
      )}
      {connected === undefined ? (
        <Loading what="Asking who is connected …" />
      ) : connected.length === 0 ? (
        <EmptyState icon="users" title="Nobody is connected">
          <p>Users appear here as long as they have a connection.</p>
        </EmptyState>
      ) : (
        <Card title="Connected now">
          <UserTable users={connected} />
        </Card>
      )}
      {listed?.source === 'file' ? (
        <p class="muted">
          The same can be done in a terminal on the machine of the server: <code>sluice user</code>. Changes hold at
          once, and end the connections of users who may not log in any more.
        </p>
      ) : (
        <ElsewhereCard isCommandLine={listed?.source === 'command-line'} />
      )}
    </PageFrame>
  );
}

/** How users are managed where this page cannot. */
function ElsewhereCard({ isCommandLine }: { readonly isCommandLine: boolean }) {
  return (
    <Card title="Managing users" testId="managing-users">
      <p>
        {isCommandLine ? (
          <>
            The users of this server come from its command line, by <code>--user</code>: they cannot be changed while it
            runs. Start it with <code>--users FILE</code>, or with neither, and users are kept in a file, and managed on
            this page or from a terminal on its machine:
          </>
        ) : (
          <>
            Users are kept in a file beside the server, and managed from a terminal on its machine. A running server
            sees a change within some seconds, and ends the connections of users who may not log in any more.
          </>
        )}
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
    <div class="table-place">
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
                <UserName name={user.name} />
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
