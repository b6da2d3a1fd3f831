import { render } from 'preact';
import { App } from './app/app.js';
import { DashboardContext } from './app/context.js';
import { Dashboard } from './app/dashboard.js';
import { followSystemTheme } from './app/theme.js';
import type { ServerApi } from './server-api.js';

followSystemTheme();
const dashboard = new Dashboard(await serverApi());
void dashboard.start();
render(
  <DashboardContext.Provider value={dashboard}>
    <App />
  </DashboardContext.Provider>,
  document.getElementById('app')!,
);

/** The server that this page comes from; while it is developed, on demand, a demonstration without one. */
async function serverApi(): Promise<ServerApi> {
  if (import.meta.env.MODE !== 'production' && location.search.includes('demo')) {
    const { demoServer } = await import('./demo/demo-address.js');
    return demoServer(location.search);
  }
  const { SdkServer } = await import('./sdk/sdk-server.js');
  return new SdkServer();
}
