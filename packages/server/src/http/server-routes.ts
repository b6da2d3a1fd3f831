import { healthRoutes } from './health-routes.js';
import type { HttpServerOptions } from './http-options.js';
import type { HttpRoute, UpgradeRoute } from './http-route.js';

/** What the routes of a server need of it. */
export interface RouteParts {
  readonly options: HttpServerOptions;
  /** Whether the server is ending. */
  readonly isDraining: () => boolean;
  readonly gateway: UpgradeRoute;
}

/** Everything that a server answers over HTTP: each route is named here, and nowhere else. */
export function serverRoutes({ options, isDraining }: RouteParts): HttpRoute[] {
  return [...healthRoutes(isDraining), ...(options.routes ?? [])];
}

/** Everything that takes connections over. */
export function serverUpgrades({ options, gateway }: RouteParts): UpgradeRoute[] {
  return [gateway, ...(options.upgrades ?? [])];
}
