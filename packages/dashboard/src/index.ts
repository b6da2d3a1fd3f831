export { DASHBOARD_DIRECTORY } from './directory.js';
