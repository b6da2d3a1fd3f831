import type { FilesRoutes } from './files/files-route.js';
import { healthRoutes } from './health-routes.js';
import type { HttpServerOptions } from './http-options.js';
import type { HttpRoute, UpgradeRoute } from './http-route.js';
import type { HttpVisitors } from './login/http-visitors.js';
import { loginRoutes } from './login/login-routes.js';
import { type MetricsRouteParts, metricsRoute } from './metrics-route.js';
import type { PageFiles } from './pages/page-files.js';
import { pageRoute } from './pages/page-route.js';

/** What the routes of a server need of it. */
export interface RouteParts {
  readonly options: HttpServerOptions;
  readonly visitors: HttpVisitors;
  readonly metrics: MetricsRouteParts;
  /** `undefined` where there are none. */
  readonly pages: PageFiles | undefined;
  /** Whether the server is ending. */
  readonly isDraining: () => boolean;
  readonly gateway: UpgradeRoute;
  readonly files: FilesRoutes;
}

/** Everything that a server answers over HTTP: each route is named here, and nowhere else. */
export function serverRoutes({ options, visitors, metrics, pages, files, isDraining }: RouteParts): HttpRoute[] {
  return [
    ...healthRoutes(isDraining),
    ...loginRoutes(visitors),
    metricsRoute(metrics),
    ...files.routes,
    ...(pages ? [pageRoute(pages)] : []),
    ...(options.routes ?? []),
  ];
}

/** Everything that takes connections over. */
export function serverUpgrades({ options, gateway }: RouteParts): UpgradeRoute[] {
  return [gateway, ...(options.upgrades ?? [])];
}
