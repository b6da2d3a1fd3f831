import { Icon } from '../components/icon.js';
import { crumbsOf, visibleName } from '../model/remote-names.js';
import { routeHash } from '../model/routes.js';

/** The way from the root to a directory. */
export function Breadcrumbs({ path }: { readonly path: string }) {
  const crumbs = crumbsOf(path);
  return (
    <nav class="crumbs" aria-label="Directory" data-testid="crumbs">
      <ol>
        <li>
          <a href={routeHash({ page: 'files' })} aria-current={path === '' ? 'page' : undefined}>
            <Icon name="home" />
            <span>Root</span>
          </a>
        </li>
        {crumbs.map((crumb) => (
          <li key={crumb.path}>
            <a
              href={routeHash({ page: 'files', path: crumb.path })}
              aria-current={crumb.path === path ? 'page' : undefined}
            >
              <bdi>{visibleName(crumb.name)}</bdi>
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}
