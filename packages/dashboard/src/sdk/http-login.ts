import { type LoginSession, ServerError } from '../server-api.js';

/** Who has logged in, by the cookie of this page; `undefined` for nobody. docs/http.md */
export async function readSession(signal?: AbortSignal): Promise<LoginSession | undefined> {
  const answer = await asked('/session', { ...(signal && { signal }) });
  if (answer.status === 401) return undefined;
  if (!answer.ok) throw await failureOf(answer);
  const { user, role, expiresAt } = (await answer.json()) as Record<string, unknown>;
  return {
    user: String(user),
    role: role === 'admin' || role === 'read-only' ? role : 'user',
    expiresAtMs: typeof expiresAt === 'string' ? Date.parse(expiresAt) : Number.POSITIVE_INFINITY,
  };
}

export async function postLogin(user: string, password: string): Promise<void> {
  const answer = await asked('/login', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ user, password }),
  });
  if (answer.status === 401) throw new ServerError('wrong-password', 'wrong user name or password');
  if (answer.status === 429) {
    const seconds = Number(answer.headers.get('Retry-After') ?? 60);
    throw new ServerError('held-back', 'too many logins have failed', { retryAfterMs: seconds * 1000 });
  }
  if (!answer.ok) throw await failureOf(answer);
}

export async function postLogout(): Promise<void> {
  const answer = await asked('/logout', { method: 'POST' });
  if (!answer.ok && answer.status !== 401) throw await failureOf(answer);
}

async function asked(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { ...init, cache: 'no-store', credentials: 'same-origin' });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ServerError('lost', 'the server does not answer', { cause: error });
  }
}

/** A proxy in front of a server that is not there says so by 502 to 504. */
async function failureOf(answer: Response): Promise<ServerError> {
  const text = (await answer.text().catch(() => '')).trim().slice(0, 300);
  const kind = answer.status >= 502 ? 'lost' : 'refused';
  return new ServerError(kind, text || `the server answers with ${answer.status}`);
}
