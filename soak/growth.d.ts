/** A figure at a time. */
export interface Sample {
  readonly seconds: number;
  readonly value: number;
}
/** What a line through samples says. */
export interface Growth {
  readonly samples: number;
  readonly mean: number;
  readonly perHour: number;
  /** What the line rises by from the first sample to the last; below 0 if it falls. */
  readonly overall: number;
  /** How much of that is taken for noise. */
  readonly tolerated: number;
  readonly isGrowing: boolean;
}
/** Least squares over the samples behind the warm-up. @param leastNoise what may come and go in any case, in the unit of the values */
export declare function growthOf(samples: readonly Sample[], leastNoise: number): Growth;
//# sourceMappingURL=growth.d.ts.map
