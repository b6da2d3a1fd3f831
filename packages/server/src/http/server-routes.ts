import type { Clock } from '@sluice/core';
import { type AdoptStream, gatewayRoute } from './gateway/gateway-route.js';
import { healthRoutes } from './health-routes.js';
import type { HttpServerOptions } from './http-options.js';
import type { HttpRoute, UpgradeRoute } from './http-route.js';

/** What the routes of a server need of it. */
export interface RouteParts {
  readonly options: HttpServerOptions;
  /** Whether the server is ending. */
  readonly isDraining: () => boolean;
  /** Serves what comes to the gateway as a connection. */
  readonly adopt: AdoptStream;
  readonly clock: Clock;
}

/** Everything that a server answers over HTTP: each route is named here, and nowhere else. */
export function serverRoutes({ options, isDraining }: RouteParts): HttpRoute[] {
  return [...healthRoutes(isDraining), ...(options.routes ?? [])];
}

/** Everything that takes connections over. */
export function serverUpgrades({ options, adopt, clock }: RouteParts): UpgradeRoute[] {
  return [gatewayRoute(adopt, clock), ...(options.upgrades ?? [])];
}
