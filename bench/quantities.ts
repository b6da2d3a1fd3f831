/** Something that is measured: a column of a table, a chart, and a line of a comparison. */
export interface Quantity {
  /** Title of the column, with the unit. Unique within a scenario. */
  readonly name: string;
  /** `undefined` for a remark on the measurement itself, which no comparison judges. */
  readonly better?: 'more' | 'less';
  /** Digits behind the point. */
  readonly digits: number;
  /** Whether the table divides it by the limit's and the plain rival's, too. */
  readonly hasRatios?: boolean;
}

/** What one run has shown: values by the names of the quantities. */
export type Readings = Readonly<Record<string, number>>;
