import { useComputed } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { IconButton } from '../components/button.js';
import { QuestionDialog } from '../components/dialog.js';
import { Icon, type IconName, Logo } from '../components/icon.js';
import { formatSeconds } from '../model/quantities.js';
import { type Page, pagesFor, routeHash } from '../model/routes.js';
import { ConnectionsPage } from '../pages/connections-page.js';
import { FilesPage } from '../pages/files-page.js';
import { LogPage } from '../pages/log-page.js';
import { OverviewPage } from '../pages/overview-page.js';
import { SpeedPage } from '../pages/speed-page.js';
import { TransfersPage } from '../pages/transfers-page.js';
import { UsersPage } from '../pages/users-page.js';
import { useDashboard, useVisit } from './context.js';
import { LinkBanner } from './link-banner.js';
import { chooseTheme, THEMES, theme } from './theme.js';
import { ToastList } from './toast-list.js';

interface PageOfShell {
  readonly name: string;
  readonly icon: IconName;
  readonly view: ComponentType;
}

const PAGES: Readonly<Record<Page, PageOfShell>> = {
  overview: { name: 'Overview', icon: 'overview', view: OverviewPage },
  connections: { name: 'Connections', icon: 'connections', view: ConnectionsPage },
  transfers: { name: 'Transfers', icon: 'transfers', view: TransfersPage },
  files: { name: 'Files', icon: 'files', view: FilesPage },
  log: { name: 'Log', icon: 'log', view: LogPage },
  speed: { name: 'Speed test', icon: 'speed', view: SpeedPage },
  users: { name: 'Users', icon: 'users', view: UsersPage },
};

/** All that a user sees: the navigation, and the page that is chosen. */
export function Shell() {
  const { route } = useDashboard();
  const [isMenuOpen, setMenuOpen] = useState(false);
  const { page } = route.value;
  const { name, view: View } = PAGES[page];
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${name} · Sluice`;
    setMenuOpen(false);
    if (!isFirst.current) main.current?.querySelector<HTMLElement>('#page-title')?.focus();
    isFirst.current = false;
  }, [page]);
  return (
    <div class={`shell ${isMenuOpen ? 'is-menu-open' : ''}`}>
      <button
        type="button"
        class="skip"
        onClick={() => main.current?.querySelector<HTMLElement>('#page-title')?.focus()}
      >
        Skip to the content
      </button>
      <header class="topbar">
        <IconButton
          icon={isMenuOpen ? 'close' : 'menu'}
          label={isMenuOpen ? 'Close the menu' : 'Open the menu'}
          isExpanded={isMenuOpen}
          onClick={() => setMenuOpen(!isMenuOpen)}
        />
        <Logo />
        <span class="topbar-title">{name}</span>
        <StatusDot />
      </header>
      <div class="scrim" aria-hidden="true" onClick={() => setMenuOpen(false)} />
      <Sidebar />
      <main class="main" ref={main}>
        <LinkBanner />
        <View key={page} />
      </main>
      <ToastList />
      <QuestionDialog />
    </div>
  );
}

function Sidebar() {
  const { route } = useDashboard();
  const { session, transfers } = useVisit();
  const running = useComputed(() => transfers.list.value.filter(({ state }) => state.value.kind === 'running').length);
  return (
    <aside class="sidebar" aria-label="Pages, server and account">
      <a class="brand" href="#/">
        <Logo />
        <span>Sluice</span>
      </a>
      <nav class="nav" aria-label="Pages">
        {pagesFor(session.role).map((page) => (
          <a
            key={page}
            class="nav-link"
            href={routeHash({ page })}
            aria-current={route.value.page === page ? 'page' : undefined}
            data-testid={`nav-${page}`}
          >
            <Icon name={PAGES[page].icon} />
            <span class="nav-name">{PAGES[page].name}</span>
            {page === 'transfers' && running.value > 0 && <span class="nav-count">{running.value}</span>}
          </a>
        ))}
      </nav>
      <div class="sidebar-foot">
        <ServerStatus />
        <ThemeSwitch />
        <Account />
      </div>
    </aside>
  );
}

const LINK_TEXTS = { connecting: 'Connecting', open: 'Connected', lost: 'Not connected' } as const;

function StatusDot() {
  const { kind } = useVisit().link.state.value;
  return <span class={`status-dot status-${kind}`} role="img" aria-label={LINK_TEXTS[kind]} title={LINK_TEXTS[kind]} />;
}

function ServerStatus() {
  const { link } = useVisit();
  const { kind } = link.state.value;
  const uptimeMs = link.figures.value?.uptimeMs;
  return (
    <p class="server-status" data-testid="link-state" data-state={kind}>
      <StatusDot />
      <span class="server-status-text">
        {LINK_TEXTS[kind]}
        {kind === 'open' && uptimeMs !== undefined && <small>up {formatSeconds(Math.floor(uptimeMs / 1000))}</small>}
      </span>
    </p>
  );
}

const THEME_TEXTS = { system: 'As the system', light: 'Light', dark: 'Dark' } as const;
const THEME_ICONS = { system: 'system', light: 'sun', dark: 'moon' } as const;

function ThemeSwitch() {
  return (
    <fieldset class="theme-switch">
      <legend class="sr-only">Colours</legend>
      {THEMES.map((each) => (
        <IconButton
          key={each}
          icon={THEME_ICONS[each]}
          label={`Colours: ${THEME_TEXTS[each]}`}
          isPressed={theme.value === each}
          onClick={() => chooseTheme(each)}
        />
      ))}
    </fieldset>
  );
}

function Account() {
  const dashboard = useDashboard();
  const { session } = useVisit();
  return (
    <div class="account">
      <span class="avatar" aria-hidden="true">
        {[...session.user][0]?.toUpperCase() ?? '?'}
      </span>
      <span class="account-name">
        <bdi>{session.user}</bdi>
        <small>{session.role}</small>
      </span>
      <IconButton icon="logout" label="Log out" onClick={() => void dashboard.logOut()} />
    </div>
  );
}
