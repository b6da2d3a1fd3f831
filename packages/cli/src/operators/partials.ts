import type { PartialUpload } from '@sluice/client';
import type { Invocation } from '../command.js';
import type { partialsOptions } from '../commands/partials.js';
import { ExitCode } from '../exit-code.js';
import { Interruption } from '../interruption.js';
import { formatBytes, formatSeconds } from '../options/quantities.js';
import { ServerConnections } from '../server-connections.js';
import { columnsOf, stdout } from '../terminal/standard-streams.js';
import { type TableColumn, tableLines } from '../terminal/table.js';
import { serverOperand } from './server-operand.js';

/** `sluice partials`. */
export async function partials({ operands, options }: Invocation<typeof partialsOptions>): Promise<number> {
  const { endpoint } = serverOperand('partials', operands, 0);
  using interruption = new Interruption();
  const { signal } = interruption;
  await using servers = new ServerConnections({ values: options, signal });
  const client = await servers.to(endpoint);
  if (options.drop !== undefined) {
    await client.dropPartial(options.drop, { signal });
    return ExitCode.Done;
  }
  const all = await client.listPartials({ signal });
  if (options.json) {
    stdout.write(all.map((partial) => `${JSON.stringify(partial)}\n`).join(''));
    return ExitCode.Done;
  }
  if (all.length === 0) return ExitCode.Done;
  const width = stdout.isTTY ? columnsOf(stdout) : Number.POSITIVE_INFINITY;
  stdout.write(`${tableLines(columns(Date.now()), all, { width }).join('\n')}\n`);
  return ExitCode.Done;
}

/** @param nowMs as Date.now */
function columns(nowMs: number): readonly TableColumn<PartialUpload>[] {
  return [
    { heading: 'ID', text: ({ id }) => id, giveWay: 0 },
    { heading: 'USER', text: ({ user }) => user, giveWay: 2, minWidth: 8 },
    { heading: 'STAGED', text: ({ stagedBytes }) => formatBytes(stagedBytes), align: 'right', giveWay: 0 },
    {
      heading: 'SIZE',
      text: ({ size }) => (size === undefined ? '-' : formatBytes(size)),
      align: 'right',
      giveWay: 3,
    },
    { heading: 'AGE', text: ({ createdAt }) => ageText(createdAt, nowMs), align: 'right', giveWay: 4 },
    { heading: 'IDLE', text: ({ changedAt }) => ageText(changedAt, nowMs), align: 'right', giveWay: 1 },
    { heading: 'HELD', text: ({ isHeld }) => (isHeld ? 'yes' : ''), giveWay: 5 },
    { heading: 'NAME', text: ({ name }) => name, giveWay: 0, minWidth: 12 },
  ];
}

function ageText(time: string, nowMs: number): string {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? time : formatSeconds(Math.max(0, Math.floor((nowMs - ms) / 1000)));
}
