import type { Clock, DescriptorBudget, StreamListenerOptions } from '@sluice/core';
import type { Log } from '../log.js';
import { HttpListener } from './http-listener.js';
import type { HttpServerOptions } from './http-options.js';
import { listeningForHttp } from './http-places.js';
import type { UpgradeRoute } from './http-route.js';
import { HttpVisitors } from './http-visitors.js';
import { OwnOrigins } from './own-origins.js';
import { serverRoutes, serverUpgrades } from './server-routes.js';

/** What a server has its HTTP listener made of. */
export interface HttpParts extends Pick<StreamListenerOptions, 'tls' | 'isProxy'> {
  readonly options: HttpServerOptions;
  readonly descriptors: DescriptorBudget;
  readonly clock: Clock;
  readonly gateway: UpgradeRoute;
  readonly log: Log;
}

/**
 * Opens the HTTP listener of a server.
 *
 * @returns `undefined` when the server is to go on without it
 * @throws {HttpAddressError} when the address cannot be used
 */
export async function openServerHttp(parts: HttpParts): Promise<HttpListener | undefined> {
  const { options, log } = parts;
  const { host, port, maxConnections, maxPerAddress, createServer, onLeft } = options;
  const origins = new OwnOrigins(options.origins ?? []);
  let listener: HttpListener;
  const routeParts = { ...parts, isDraining: () => listener.isDraining };
  return await listeningForHttp(options, log, async () => {
    listener = await HttpListener.listen({
      host,
      port,
      ...(maxConnections !== undefined && { maxConnections }),
      ...(maxPerAddress !== undefined && { maxPerAddress }),
      ...(createServer && { createServer }),
      ...(onLeft && { onLeft }),
      ...(parts.tls && { tls: parts.tls }),
      ...(parts.isProxy && { isProxy: parts.isProxy }),
      descriptors: parts.descriptors,
      clock: parts.clock,
      log,
      routes: serverRoutes(routeParts),
      upgrades: serverUpgrades(routeParts),
      visitors: new HttpVisitors(origins),
    });
    return listener;
  });
}
