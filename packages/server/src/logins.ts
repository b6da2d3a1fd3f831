import type { Authenticator, Refusal } from './login-dialogue.js';
import type { Principal, Role } from './principal.js';
import type { DirectoryTree } from './storage/directory-tree.js';
import type { Quota } from './storage/storage-quota.js';
import type { LoginGate } from './users/login-guard.js';
import type { ScramExchange } from './users/scram-exchange.js';
import type { ScramVerifier } from './users/scram-verifier.js';
import type { Account, LoginOutcome, UserStore } from './users/user-store.js';

/** The root of one or more users, while the server runs. */
interface UserRoot {
  readonly tree: DirectoryTree;
  readonly key: string;
  readonly quotas: Map<string, Quota>;
}

/**
 * Makes the quota of a user.
 *
 * @param rootKey of the user's root; `undefined` for the server's
 */
export type QuotaMaker = (
  limitBytes: number,
  userName: string,
  tree: DirectoryTree,
  rootKey: string | undefined,
) => Quota;

/** Lets users in, each to its own root. */
export class Logins implements Authenticator {
  readonly #users: UserStore;
  readonly #serverTree: DirectoryTree;
  readonly #makeQuota: QuotaMaker;
  readonly #guard: LoginGate;
  /** Attempts, by what became of them. */
  readonly outcomes = new Map<string, number>();
  /** By the path below the server's root. */
  readonly #roots = new Map<string, UserRoot>();
  /** Of directories that have been replaced by others: sessions may still be in them. */
  readonly #oldTrees: DirectoryTree[] = [];

  constructor(users: UserStore, serverTree: DirectoryTree, guard: LoginGate, makeQuota: QuotaMaker) {
    this.#users = users;
    this.#serverTree = serverTree;
    this.#guard = guard;
    this.#makeQuota = makeQuota;
  }

  /** @throws {StorageError} when the user's root cannot be used */
  async authenticate(
    userName: string,
    passwordDigest: string,
    address: string,
    gone: AbortSignal,
  ): Promise<Principal | Refusal> {
    return await this.#attempt(userName, address, gone, () => this.#users.authenticate(userName, passwordDigest));
  }

  scramVerifierOf(userName: string): ScramVerifier {
    return this.#users.scramVerifierOf(userName);
  }

  /** @throws {StorageError} as `authenticate` */
  async authenticateByScram(
    { userName, verifier }: Pick<ScramExchange, 'userName' | 'verifier'>,
    judge: () => boolean,
    address: string,
    gone: AbortSignal,
  ): Promise<Principal | Refusal> {
    return await this.#attempt(userName, address, gone, () => this.#users.admit(userName, verifier, judge()));
  }

  /** As `authenticate`, by the password itself: of a browser, or a program that speaks HTTP, over a link that is safe. */
  async authenticateByPassword(
    userName: string,
    password: string,
    address: string,
    gone: AbortSignal,
  ): Promise<Principal | Refusal> {
    return await this.#attempt(userName, address, gone, () => this.#users.authenticateByPassword(userName, password));
  }

  /** Somebody who has shown before who it is; `undefined` for who may not log in any more. @throws {StorageError} as `authenticate` */
  async principalOf(userName: string): Promise<Principal | undefined> {
    const account = this.#users.accountOf(userName);
    return account && (await this.#principalOf(account));
  }

  /** As `UserStore.stampOf`. */
  stampOf(userName: string): string | undefined {
    return this.#users.stampOf(userName);
  }

  async close(): Promise<void> {
    const trees = [...this.#oldTrees, ...Array.from(this.#roots.values(), ({ tree }) => tree)];
    await Promise.all(trees.map((tree) => tree.close()));
  }

  /** Asks the users when it is the address's turn. */
  async #attempt(
    userName: string,
    address: string,
    gone: AbortSignal,
    check: () => LoginOutcome | Promise<LoginOutcome>,
  ): Promise<Principal | Refusal> {
    let outcome: Account | Refusal = 'unchecked';
    await this.#guard.attempt(
      address,
      userName,
      async () => {
        outcome = await check();
        return typeof outcome === 'object';
      },
      gone,
    );
    const label = typeof outcome === 'string' ? outcome : 'accepted';
    this.outcomes.set(label, (this.outcomes.get(label) ?? 0) + 1);
    return typeof outcome === 'string' ? outcome : await this.#principalOf(outcome);
  }

  async #principalOf(account: Account): Promise<Principal> {
    const root = account.root.length === 0 ? undefined : await this.#rootOf(account.root);
    const tree = root?.tree ?? this.#serverTree;
    const quota = account.quotaBytes === undefined ? undefined : this.#quotaOf(account, tree, root);
    return new AccountPrincipal(account, tree, quota);
  }

  async #rootOf(components: readonly string[]): Promise<UserRoot> {
    const path = components.join('/');
    const tree = await this.#serverTree.below(components);
    const key = await tree.readKey();
    const known = this.#roots.get(path);
    if (known?.key === key) {
      await tree.close();
      return known;
    }
    if (known) this.#oldTrees.push(known.tree);
    const root = { tree, key, quotas: new Map<string, Quota>() };
    this.#roots.set(path, root);
    return root;
  }

  readonly #serverQuotas = new Map<string, Quota>();

  /** One for each user and root: what one session writes, the others cannot. */
  #quotaOf({ name, quotaBytes = 0 }: Account, tree: DirectoryTree, root: UserRoot | undefined): Quota {
    const quotas = root?.quotas ?? this.#serverQuotas;
    const known = quotas.get(name);
    if (known) {
      known.limitBytes = quotaBytes;
      return known;
    }
    const quota = this.#makeQuota(quotaBytes, name, tree, root?.key);
    quotas.set(name, quota);
    return quota;
  }
}

/** Its role is the account's of the moment: a reload may change it. */
class AccountPrincipal implements Principal {
  readonly userName: string;
  readonly tree: DirectoryTree;
  readonly quota: Quota | undefined;
  readonly #account: Account;

  constructor(account: Account, tree: DirectoryTree, quota: Quota | undefined) {
    this.userName = account.name;
    this.tree = tree;
    this.quota = quota;
    this.#account = account;
  }

  get role(): Role {
    return this.#account.role;
  }
}
