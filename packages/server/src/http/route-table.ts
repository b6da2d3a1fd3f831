/** Routes by their path: exact ones, and those for all that is below. */
export class RouteTable<R extends { readonly path: string }> {
  readonly #exact = new Map<string, R>();
  /** Longest first. */
  readonly #below: readonly R[];

  /** @throws {Error} for two routes with one path */
  constructor(routes: readonly R[]) {
    for (const route of routes) {
      if (!route.path.startsWith('/')) throw new Error(`the path of a route begins with a slash: ${route.path}`);
      if (this.#exact.has(route.path)) throw new Error(`two routes for ${route.path}`);
      this.#exact.set(route.path, route);
    }
    this.#below = routes
      .filter(({ path }) => path.endsWith('/'))
      .sort((one, other) => other.path.length - one.path.length);
  }

  /** @param path of a URL, as it stands there */
  find(path: string): R | undefined {
    return this.#exact.get(path) ?? this.#below.find((route) => path.startsWith(route.path));
  }
}
