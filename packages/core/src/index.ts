export type { Cancel, Clock } from './clock.js';
export { systemClock } from './clock.js';
