import { useState } from 'preact/hooks';
import { useDashboard, useVisit } from '../app/context.js';
import { Button } from '../components/button.js';
import { Modal, TextField } from '../components/modal.js';
import { visibleName } from '../model/remote-names.js';
import { changeOf, formOf, passwordProblem, problemsOf, randomPassword, type UserForm } from '../model/user-form.js';
import { failureText, type UserChange, type UserRecord, type UserRole } from '../server-api.js';

const ROLES: readonly (readonly [UserRole, string])[] = [
  ['user', 'user: reads and changes files'],
  ['read-only', 'read-only: reads files'],
  ['admin', 'admin: also acts on others, and on the server'],
];

interface UserDialogProps {
  /** `undefined` for one that is to be made. */
  readonly user: UserRecord | undefined;
  readonly taken: ReadonlySet<string>;
  readonly onClose: (isChanged: boolean) => void;
}

/** Makes a user, or changes what one may do. */
export function UserDialog({ user, taken, onClose }: UserDialogProps) {
  const { session } = useVisit();
  const [form, setForm] = useState<UserForm>(() => formOf(user));
  const [isTried, setTried] = useState(false);
  const { isBusy, failure, save } = useSaving(onClose);
  const problems = problemsOf(form, user, taken);
  const shown = isTried ? problems : {};
  const put = (part: Partial<UserForm>): void => setForm((before) => ({ ...before, ...part }));
  const isSelf = user?.name === session.user;
  const name = visibleName(user?.name ?? form.name);
  const submit = (): void => {
    setTried(true);
    if (Object.keys(problems).length > 0) return;
    const change = changeOf(form, user);
    if (user && Object.keys(change).length === 1) onClose(false);
    else void save(change, user ? `${name} was changed.` : `${name} was added.`);
  };
  return (
    <Modal
      title={user ? `Change ${name}` : 'Add a user'}
      text={
        user
          ? 'Another root ends the connections of the user; a new role holds from the next request on.'
          : 'The user can log in at once.'
      }
      action={isBusy ? 'Saving …' : user ? 'Save' : 'Add user'}
      isBusy={isBusy}
      onCancel={() => onClose(false)}
      onSubmit={submit}
    >
      {!user && (
        <TextField
          label="Name"
          testId="user-name"
          value={form.name}
          problem={shown.name}
          onInput={(text) => put({ name: text })}
        />
      )}
      <label class="field">
        <span>Role</span>
        <select
          data-testid="user-role"
          value={form.role}
          disabled={isSelf}
          onChange={(event) => put({ role: event.currentTarget.value as UserRole })}
        >
          {ROLES.map(([role, text]) => (
            <option key={role} value={role}>
              {text}
            </option>
          ))}
        </select>
        {isSelf && <span class="field-hint">Only another admin can take the role from you.</span>}
      </label>
      <TextField
        label="Root"
        testId="user-root"
        value={form.root}
        hint="A directory of the server, like home/ada; empty for all files."
        onInput={(root) => put({ root })}
      />
      <TextField
        label="Quota"
        testId="user-quota"
        value={form.quota}
        problem={shown.quota}
        hint="How much may be below the root, like 10G; empty for no limit."
        onInput={(quota) => put({ quota })}
      />
      <TextField
        label="Expires"
        type="date"
        value={form.expires}
        hint="From that day on (UTC) the user cannot log in; empty for never."
        onInput={(expires) => put({ expires })}
      />
      {!user && (
        <PasswordField value={form.password} problem={shown.password} onInput={(password) => put({ password })} />
      )}
      <Failure text={failure} />
    </Modal>
  );
}

interface PasswordDialogProps {
  readonly user: UserRecord;
  readonly onClose: (isChanged: boolean) => void;
}

/** Gives a user another password. */
export function PasswordDialog({ user, onClose }: PasswordDialogProps) {
  const { session } = useVisit();
  const [password, setPassword] = useState('');
  const [isTried, setTried] = useState(false);
  const { isBusy, failure, save } = useSaving(onClose);
  const name = visibleName(user.name);
  const problem = passwordProblem(password);
  const submit = (): void => {
    setTried(true);
    if (problem === undefined) void save({ name: user.name, password }, `${name} has another password.`);
  };
  const isSelf = user.name === session.user;
  const ending = isSelf
    ? 'Your login ends with it, and all your connections: log in again with the new password.'
    : `The connections of ${name} end.`;
  const digest = user.logins.includes('digest')
    ? ' Old clients, which log in by the digest of a password, cannot with this one: for these, use sluice user passwd.'
    : '';
  return (
    <Modal
      title={`Set the password of ${name}`}
      text={`${ending}${digest}`}
      action={isBusy ? 'Saving …' : 'Set password'}
      isBusy={isBusy}
      onCancel={() => onClose(false)}
      onSubmit={submit}
    >
      <PasswordField value={password} problem={isTried ? problem : undefined} onInput={setPassword} />
      <Failure text={failure} />
    </Modal>
  );
}

interface PasswordFieldProps {
  readonly value: string;
  readonly problem: string | undefined;
  readonly onInput: (password: string) => void;
}

/** A new password: typed, or made here. */
function PasswordField({ value, problem, onInput }: PasswordFieldProps) {
  const { toasts } = useDashboard();
  const [isShown, setShown] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(value);
      toasts.done('The password was copied.');
    } catch {
      toasts.failed('The browser does not let this page copy: it allows that on https and on this machine only.');
    }
  };
  return (
    <div class="password-field">
      <TextField
        label="New password"
        testId="user-password"
        type={isShown ? 'text' : 'password'}
        autocomplete="new-password"
        value={value}
        problem={problem}
        hint="It does not leave this browser: the server gets what it needs to check it."
        onInput={onInput}
      />
      <div class="password-actions">
        <Button
          icon="retry"
          onClick={() => {
            onInput(randomPassword());
            setShown(true);
          }}
          testId="password-generate"
        >
          Generate
        </Button>
        <Button icon="copy" isDisabled={value === ''} onClick={() => void copy()} testId="password-copy">
          Copy
        </Button>
        <Button isPressed={isShown} onClick={() => setShown(!isShown)}>
          Show
        </Button>
      </div>
    </div>
  );
}

function Failure({ text }: { readonly text: string }) {
  return (
    <p class="field-problem" role="alert" data-testid="user-problem">
      {text}
    </p>
  );
}

/** Has the server do it; the dialog stays open when it does not. */
function useSaving(onClose: (isChanged: boolean) => void): {
  readonly isBusy: boolean;
  readonly failure: string;
  readonly save: (change: UserChange, done: string) => Promise<void>;
} {
  const { api, toasts } = useDashboard();
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState('');
  const save = async (change: UserChange, done: string): Promise<void> => {
    setBusy(true);
    setFailure('');
    try {
      await api.setUser(change);
      toasts.done(done);
      onClose(true);
    } catch (error) {
      setFailure(failureText(error));
      setBusy(false);
    }
  };
  return { isBusy, failure, save };
}
