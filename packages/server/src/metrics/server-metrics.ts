import type { DescriptorBudget, Listener, TlsContexts } from '@sluice/core';
import type { ClientRegistry } from '../client-registry.js';
import type { HttpListener } from '../http/http-listener.js';
import type { LogCounters } from '../log-stream.js';
import type { Logins } from '../logins.js';
import type { ServerMode } from '../server-mode.js';
import type { OpenFiles } from '../storage/open-files.js';
import type { StagingArea } from '../storage/staging/staging-area.js';
import { addHttpMetrics } from './http-metrics.js';
import { addListenerMetrics, labelled } from './listener-metrics.js';
import type { LoopLag } from './loop-lag.js';
import { type MetricFamily, type MetricLabels, MetricList, PROCESS_LABEL } from './metric-family.js';
import { addProcessMetrics } from './process-metrics.js';
import type { Traffic } from './traffic.js';

export interface ServerMetricParts {
  /** Of this process, among those of the server. */
  readonly number: number;
  /** Whether this process accepts connections itself. */
  readonly isAlone: boolean;
  readonly clients: ClientRegistry;
  readonly openFiles: OpenFiles;
  readonly staging: StagingArea;
  readonly logins: Logins;
  readonly traffic: Traffic;
  readonly mode: Readonly<ServerMode>;
  readonly descriptors: DescriptorBudget;
  readonly certificates: TlsContexts | undefined;
  readonly logCounters: LogCounters | undefined;
  readonly lag: LoopLag;
}

interface ProtocolSums {
  receivedFrames: number;
  sentFrames: number;
  idle: number;
  busy: number;
}

/** What is measured of a server, or of one of its workers. Nothing of it is made before somebody asks. docs/http.md, "Metrics" */
export class ServerMetrics {
  readonly #parts: ServerMetricParts;

  constructor(parts: ServerMetricParts) {
    this.#parts = parts;
  }

  read(listener: Listener, http: HttpListener | undefined): MetricFamily[] {
    const { isAlone, number, descriptors, logCounters } = this.#parts;
    const list = new MetricList();
    const name = String(number);
    list.gauge('sluice_info', 'Always 1; the labels tell the version of Node.', [[{ node: process.version }, 1]]);
    if (isAlone) {
      addListenerMetrics(list, listener, listener.connections.size);
      if (logCounters) addLogMetrics(list, logCounters);
    }
    this.#addTraffic(list, listener);
    this.#addFiles(list);
    this.#addMemory(list, listener);
    this.#addTls(list, listener);
    if (http) addHttpMetrics(list, http, isAlone);
    addProcessMetrics(list, name, this.#parts.lag, descriptors);
    return list.families;
  }

  #addTraffic(list: MetricList, listener: Listener): void {
    const { clients, traffic, logins } = this.#parts;
    const { counters, connections } = listener;
    let [receivedBytes, sentBytes, queuedBytes, longestQueue] = [counters.receivedBytes, counters.sentBytes, 0, 0];
    for (const connection of connections) {
      receivedBytes += connection.receivedBytes;
      sentBytes += connection.sentBytes;
      queuedBytes += connection.queuedBytes;
      longestQueue = Math.max(longestQueue, connection.queuedBytes);
    }
    const sums = new Map<string, ProtocolSums>();
    for (const [protocol, { receivedFrames, sentFrames }] of traffic.protocols)
      sums.set(protocol, { receivedFrames, sentFrames, idle: 0, busy: 0 });
    let chosen = 0;
    for (const { protocolName, receivedFrames, sentFrames, transfer } of clients.sources()) {
      const sum = sums.get(protocolName) ?? { receivedFrames: 0, sentFrames: 0, idle: 0, busy: 0 };
      sums.set(protocolName, sum);
      sum.receivedFrames += receivedFrames;
      sum.sentFrames += sentFrames;
      if (transfer) sum.busy += 1;
      else sum.idle += 1;
      chosen += 1;
    }
    list.gauge('sluice_connections', 'Connections by protocol and state; opening: none is chosen.', [
      [{ protocol: '', state: 'opening' }, Math.max(0, connections.size - chosen)],
      ...[...sums].flatMap(([protocol, { idle, busy }]): [MetricLabels, number][] => [
        [{ protocol, state: 'transferring' }, busy],
        [{ protocol, state: 'other' }, idle],
      ]),
    ]);
    list.counter('sluice_received_bytes_total', 'Bytes received.', receivedBytes);
    list.counter('sluice_sent_bytes_total', 'Bytes sent.', sentBytes);
    const frames = (key: 'receivedFrames' | 'sentFrames') => [...sums].map(([name, sum]) => [name, sum[key]] as const);
    list.counter('sluice_received_frames_total', 'Packets received.', labelled('protocol', frames('receivedFrames')));
    list.counter('sluice_sent_frames_total', 'Packets sent.', labelled('protocol', frames('sentFrames')));
    list.gauge('sluice_queued_bytes', 'Bytes that wait for clients to take them.', queuedBytes);
    list.gauge('sluice_queued_longest_bytes', 'The same for the connection with the most.', [
      [{ [PROCESS_LABEL]: String(this.#parts.number) }, longestQueue],
    ]);
    const protocols = [...traffic.protocols];
    list.histogram(
      'sluice_request_seconds',
      'Time from a request to the end of its handling.',
      protocols.flatMap(([protocol, { times }]) =>
        [...times].map(([command, h]) => [{ protocol, command }, h] as const),
      ),
    );
    list.counter(
      'sluice_request_failures_total',
      'Answers that told of a failure, by code.',
      protocols.flatMap(([protocol, { failures }]) =>
        [...failures].map(([code, count]) => [{ protocol, code: String(code) }, count] as const),
      ),
    );
    const { droppedMessages, supersededMessages } = counters.messages;
    list.counter(
      'sluice_messages_dropped_total',
      'Lines of the log and changes that readers were too slow for.',
      droppedMessages,
    );
    list.counter('sluice_messages_superseded_total', 'The same that newer ones have replaced.', supersededMessages);
    list.counter('sluice_logins_total', 'Attempts to log in, by outcome.', labelled('outcome', logins.outcomes));
  }

  #addFiles(list: MetricList): void {
    const { clients, openFiles, staging, mode, isAlone } = this.#parts;
    let transfers = 0;
    for (const { transfer } of clients.sources()) if (transfer) transfers += 1;
    const { partials, parked, parkedBytes, reservedBytes } = staging.totals;
    list.gauge('sluice_transfers', 'Uploads and downloads that go on.', transfers);
    list.gauge('sluice_open_files', 'Files that are open for clients.', openFiles.size);
    list.gauge('sluice_partials_active', 'Uploads that are not complete, and that somebody is at.', partials - parked);
    // All workers see the same ones.
    const process: MetricLabels = isAlone ? {} : { [PROCESS_LABEL]: String(this.#parts.number) };
    list.gauge('sluice_partials_parked', 'Uploads that are not complete, and that nobody is at.', [[process, parked]]);
    list.gauge('sluice_partials_parked_bytes', 'What they have.', [[process, parkedBytes]]);
    list.gauge('sluice_reserved_bytes', 'Room on the disk that uploads have declared.', reservedBytes);
    list.gauge('sluice_read_only', 'Whether nobody may change files.', [[process, mode.isReadOnly ? 1 : 0]]);
  }

  #addMemory(list: MetricList, { memory }: Listener): void {
    if (!memory) return;
    const process = { [PROCESS_LABEL]: String(this.#parts.number) };
    const { limit, level, budgets, heldBack } = memory.read();
    const all = Object.entries(budgets);
    const of = (key: 'limit' | 'used' | 'peak'): [MetricLabels, number][] =>
      all.map(([budget, report]) => [{ ...process, budget }, report[key]]);
    list.gauge('sluice_memory_limit_bytes', 'What connections and requests may hold.', [[process, limit]]);
    list.gauge(
      'sluice_memory_level',
      '0 while there is enough; 1 to 3: who needs most waits, is not read, is closed.',
      [[process, level]],
    );
    list.gauge('sluice_memory_budget_limit_bytes', 'What each budget may hold.', of('limit'));
    list.gauge('sluice_memory_budget_used_bytes', 'What each budget holds.', of('used'));
    list.gauge('sluice_memory_budget_peak_bytes', 'What each budget has held at most.', of('peak'));
    list.counter(
      'sluice_memory_measures_total',
      'What was done for want of memory.',
      all.flatMap(([budget, report]) =>
        (['waited', 'refused', 'paused', 'closed'] as const).map((measure): [MetricLabels, number] => [
          { budget, measure },
          report[measure],
        ]),
      ),
    );
    list.counter(
      'sluice_memory_held_back_total',
      'Connections that were not let in at once for want of memory.',
      heldBack,
    );
  }

  #addTls(list: MetricList, { tls }: Listener): void {
    const { certificates } = this.#parts;
    if (!tls || !certificates) return;
    list.counter('sluice_tls_handshakes_total', 'TLS handshakes, by outcome.', [
      [{ outcome: 'done' }, tls.done],
      [{ outcome: 'failed' }, tls.failed],
    ]);
    list.gauge('sluice_tls_handshakes', 'TLS handshakes that go on, or wait for their turn.', [
      [{ state: 'active' }, tls.active],
      [{ state: 'waiting' }, tls.waiting],
    ]);
    list.gauge('sluice_tls_certificate_expiry_seconds', 'When the first certificate expires, in seconds since 1970.', [
      [{ [PROCESS_LABEL]: String(this.#parts.number) }, certificates.expiresAtMs / 1000],
    ]);
  }
}

/** Of the process that writes the log. */
export function addLogMetrics(list: MetricList, { lines, leftOutLines, lostLines }: LogCounters): void {
  list.counter('sluice_log_lines_total', 'Lines of the log, by level.', labelled('level', lines));
  list.counter(
    'sluice_log_left_out_lines_total',
    'Lines that were summed up because there were too many alike.',
    leftOutLines,
  );
  list.counter('sluice_log_lost_lines_total', 'Lines that the disk did not take.', lostLines);
}
