import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Dashboard, Visit } from './dashboard.js';

export const DashboardContext = createContext<Dashboard | undefined>(undefined);

export function useDashboard(): Dashboard {
  const dashboard = useContext(DashboardContext);
  if (!dashboard) throw new Error('no dashboard');
  return dashboard;
}

/** What is known since the login; only in pages behind it. */
export function useVisit(): Visit {
  const visit = useDashboard().visit.value;
  if (!visit) throw new Error('nobody has logged in');
  return visit;
}
