import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { barChart } from './chart.js';
import { plainHttp } from './contenders/plain-http.js';
import { READ_BYTES } from './contenders/reader.js';
import { rsync } from './contenders/rsync.js';
import { ssh2Reader } from './contenders/ssh2-reader.js';
import { TREE_FILE_BYTES } from './contenders/tree-mover.js';
import { isReadings, linesOf, type ScenarioResult } from './lines.js';
import { type MachineFacts, machineLine } from './machine.js';
import { readingsTable } from './readings.js';
import { benchDirectory } from './repository.js';
import { type Ratios, type Row, ratiosTo, type Summary } from './summary.js';
import { formatTable } from './table.js';

export interface BenchResult {
  readonly machine: MachineFacts;
  readonly loadProgram: string;
  readonly filesInMemory: boolean;
  readonly sizeBytes: number;
  readonly rounds: number;
  readonly isQuick: boolean;
  readonly scenarios: readonly ScenarioResult[];
}

const HEADER = [
  'contender',
  'MB/s',
  'spread',
  'server CPU s/GB',
  'server peak MB',
  'client CPU s/GB',
  'login s',
  'other cores',
  'speed:http',
  'CPU:http',
  'speed:limit',
  'CPU:limit',
];

const READS_HEADER = [
  'contender',
  'reads/s',
  'spread',
  'server CPU µs/read',
  'client CPU µs/read',
  'server peak MB',
  'other cores',
  'rate:sftp',
];

const TREES_HEADER = [
  'contender',
  'files/s',
  'spread',
  'synced',
  'server CPU µs/file',
  'client CPU µs/file',
  'server peak MB',
  'other cores',
  'rate:rsync',
];

export function scenarioTable(result: ScenarioResult): string {
  if (isReadings(result)) return readingsTable(result.scenario, result.rows);
  const { scenario, rows } = result;
  if (scenario.kind === 'transfer') return transferTable(rows);
  return scenario.kind === 'random-reads' ? readsTable(rows) : treesTable(rows);
}

function treesTable(rows: readonly Row[]): string {
  const reference = rows.find(({ contender }) => contender === rsync.name)?.summary;
  return formatTable(
    TREES_HEADER,
    rows.map(({ contender, synced, summary, missing }) => {
      if (summary === null) return [contender, missing ?? ''];
      const usPerFile = (secondsPerGb: number) => ((secondsPerGb * TREE_FILE_BYTES) / 1e3).toFixed(0);
      return [
        contender,
        ((summary.mbPerSecond * 1e6) / TREE_FILE_BYTES).toFixed(0),
        `${(summary.spread * 100).toFixed(0)} %`,
        synced ?? '-',
        usPerFile(summary.serverCpuSecondsPerGb),
        usPerFile(summary.clientCpuSecondsPerGb),
        summary.serverPeakMb.toFixed(0),
        summary.otherBusyCores.toFixed(1),
        ratiosTo(reference, summary)?.speed.toFixed(2) ?? '-',
      ];
    }),
  );
}

function readsTable(rows: readonly Row[]): string {
  const sftp = rows.find(({ contender }) => contender === ssh2Reader.name)?.summary;
  return formatTable(
    READS_HEADER,
    rows.map(({ contender, summary, missing }) => {
      if (summary === null) return [contender, missing ?? ''];
      const usPerRead = (secondsPerGb: number) => ((secondsPerGb * READ_BYTES) / 1e3).toFixed(1);
      return [
        contender,
        ((summary.mbPerSecond * 1e6) / READ_BYTES).toFixed(0),
        `${(summary.spread * 100).toFixed(0)} %`,
        usPerRead(summary.serverCpuSecondsPerGb),
        usPerRead(summary.clientCpuSecondsPerGb),
        summary.serverPeakMb.toFixed(0),
        summary.otherBusyCores.toFixed(1),
        ratiosTo(sftp, summary)?.speed.toFixed(2) ?? '-',
      ];
    }),
  );
}

function transferTable(rows: readonly Row[]): string {
  return formatTable(
    HEADER,
    rows.map((row) => {
      if (row.summary === null) return [row.contender, row.missing ?? ''];
      const { http, limit: toLimit } = ratiosOf(row, rows);
      return [row.contender, ...figureCells(row.summary), ...ratioCells(http), ...ratioCells(toLimit)];
    }),
  );
}

/** Writes bench/results/latest.json and a chart for each scenario beside it; returns their paths. */
export function writeResults(result: BenchResult, described: (result: ScenarioResult) => string): string[] {
  const directory = path.join(benchDirectory, 'results');
  mkdirSync(directory, { recursive: true });
  const json = path.join(directory, 'latest.json');
  const lines = result.scenarios.flatMap(linesOf);
  const scenarios = result.scenarios.map(withRatios);
  writeFileSync(json, `${JSON.stringify({ ...result, scenarios, lines }, null, 2)}\n`);
  const charts = result.scenarios.map((one) => {
    const file = path.join(directory, `${one.scenario.name}.svg`);
    const drawn = linesOf(one);
    if (drawn.length === 0) rmSync(file, { force: true });
    else writeFileSync(file, barChart(one.scenario.name, [described(one), machineLine(result.machine)], drawn));
    return drawn.length === 0 ? undefined : file;
  });
  return [json, ...charts.filter((file) => file !== undefined)];
}

function withRatios(result: ScenarioResult): object {
  if (isReadings(result)) {
    const { subjects: _, ...scenario } = result.scenario;
    return { ...scenario, rows: result.rows };
  }
  const { scenario, rows } = result;
  return { ...scenario, rows: rows.map((row) => ({ ...row, ratios: ratiosOf(row, rows) })) };
}

function ratiosOf(row: Row, rows: readonly Row[]): { http: Ratios | null; limit: Ratios | null } {
  const to = (name: string) => ratiosTo(rows.find(({ contender }) => contender === name)?.summary, row.summary);
  return { http: to(plainHttp.name), limit: row.limitName === undefined ? null : to(row.limitName) };
}

function figureCells(summary: Summary): string[] {
  return [
    summary.mbPerSecond.toFixed(0),
    `${(summary.spread * 100).toFixed(0)} %`,
    summary.serverCpuSecondsPerGb.toFixed(2),
    summary.serverPeakMb.toFixed(0),
    summary.clientCpuSecondsPerGb.toFixed(2),
    summary.setupSeconds === null ? '-' : summary.setupSeconds.toFixed(3),
    summary.otherBusyCores.toFixed(1),
  ];
}

function ratioCells(ratios: Ratios | null): string[] {
  return ratios === null ? ['-', '-'] : [ratios.speed.toFixed(2), ratios.cpu.toFixed(2)];
}
