/** Where the built page is: a `file:` URL that ends with a slash. `npm run build` in this package makes it; releases have it. */
export const DASHBOARD_DIRECTORY = new URL('../dist/', import.meta.url);
