export { splitEvery, splitsInTwo } from './byte-splitter.js';
export { ManualClock } from './manual-clock.js';
