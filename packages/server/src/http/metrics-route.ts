import { isLoopback } from '../address-network.js';
import type { Answer } from '../coordination/coordinator.js';
import type { MetricFamily } from '../metrics/metric-family.js';
import { PROMETHEUS_TYPE, prometheusText } from '../metrics/prometheus-text.js';
import { HttpError } from './http-error.js';
import type { HttpRequest, HttpRoute } from './http-route.js';
import type { OwnOrigins } from './own-origins.js';

export const METRICS_PATH = '/metrics';

/** Headers of proxies: then the client is on another machine, whoever connects. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

export interface MetricsRouteParts {
  readonly read: () => Answer<readonly MetricFamily[]>;
  /** Whether they are for everybody. */
  readonly isOpen: boolean;
  readonly origins: OwnOrigins;
}

/** What is measured, for Prometheus: for this machine, for admins, and for everybody if the operator says so. */
export function metricsRoute({ read, isOpen, origins }: MetricsRouteParts): HttpRoute {
  return {
    path: METRICS_PATH,
    methods: ['GET'],
    access: 'anybody',
    async handle(request, response) {
      if (!isOpen && !isOfThisMachine(request, origins)) requireAdmin(request);
      const body = Buffer.from(prometheusText(await read()));
      response.setHeader('Content-Type', PROMETHEUS_TYPE);
      response.setHeader('Cache-Control', 'no-store');
      response.setHeader('Content-Length', body.length);
      response.end(body);
    },
  };
}

/** A page that has its own name point here would be one of this machine, too: hence the host. */
function isOfThisMachine(request: HttpRequest, origins: OwnOrigins): boolean {
  const { message, remoteAddress } = request;
  return (
    isLoopback(remoteAddress) &&
    origins.isOwnHost(request) &&
    origins.isAllowed(request) !== false &&
    FORWARDED.every((name) => message.headers[name] === undefined)
  );
}

/** @throws {HttpError} */
function requireAdmin({ visitor }: HttpRequest): void {
  if (!visitor) throw new HttpError(401, 'log in as an admin');
  if (visitor.principal.role !== 'admin') throw new HttpError(403, 'this is for admins');
}
