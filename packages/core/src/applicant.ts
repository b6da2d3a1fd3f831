import type { RefusalReason, Slot } from './admission.js';

/** One that would like a place and is no socket that was accepted here. One of its functions is called, once, unless it is withdrawn. */
export class Applicant {
  readonly onAdmitted: (slot: Slot) => void;
  readonly onRefused: (reason: RefusalReason, retryAfterMs: number) => void;

  constructor(onAdmitted: Applicant['onAdmitted'], onRefused: Applicant['onRefused']) {
    this.onAdmitted = onAdmitted;
    this.onRefused = onRefused;
  }
}
