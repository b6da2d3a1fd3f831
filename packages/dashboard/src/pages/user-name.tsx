import { useVisit } from '../app/context.js';
import { visibleName } from '../model/remote-names.js';

/** A user, as a table names it; empty for who has not logged in. */
export function UserName({ name }: { readonly name: string }) {
  const { session } = useVisit();
  if (name === '') return <span class="muted">not logged in</span>;
  return (
    <span class="user">
      <span class="avatar" aria-hidden="true">
        {[...visibleName(name)][0]?.toUpperCase()}
      </span>
      <bdi>{visibleName(name)}</bdi>
      {name === session.user && <span class="tag">you</span>}
    </span>
  );
}
