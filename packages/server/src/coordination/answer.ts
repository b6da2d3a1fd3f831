import type { Answer } from './coordinator.js';

/** Goes on with an answer: in the same tick if it is there. */
export function whenKnown<T, R>(answer: Answer<T>, use: (value: T) => R): Answer<R> {
  return answer instanceof Promise ? answer.then(use) : use(answer);
}
