import type { CommandDefinition } from './command.js';
import { CommandError, usageError } from './command-error.js';
import { commands } from './command-list.js';
import { ExitCode } from './exit-code.js';
import { commandText, overviewText } from './help.js';
import { parseOptions } from './options/option-parser.js';
import { nearestName } from './options/suggestion.js';
import { messageLine } from './terminal/message-line.js';
import { columnsOf, guardStandardStreams, stderr, stdout } from './terminal/standard-streams.js';

/** Runs one `sluice` command line and sets the exit code of the process. Nothing is thrown. */
export async function main(argv: readonly string[]): Promise<void> {
  // first of all: what follows the name, a password in a URL included, leaves the process list
  process.title = `sluice ${commands.find(({ name }) => name === argv[0])?.name ?? ''}`.trimEnd();
  guardStandardStreams();
  try {
    process.exitCode = await run(argv);
  } catch (error) {
    process.exitCode = await reportError(error);
  }
}

async function run(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    stderr.write(overviewText(commands, columnsOf(stderr)));
    return ExitCode.Usage;
  }
  if (name === '--version') return await printVersion();
  if (name === '--help' || name === '-h') return printHelp(undefined);
  if (name === 'help') return printHelp(rest[0]);
  const command = findCommand(name);
  if (wantsHelp(command, rest)) return printHelp(name);
  if (command.runWith) return await command.runWith(rest);
  if (!command.isConfigurable) return await command.run(parseOptions(command.options, rest));
  const { configured } = await import('./configuration/configuration.js');
  return await command.run(configured(command.options, rest, process.env));
}

function wantsHelp(command: CommandDefinition, argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const before = end < 0 ? argv : argv.slice(0, end);
  const hasShortH = Object.values(command.options).some(({ short }) => short === 'h');
  return before.includes('--help') || (!hasShortH && before.includes('-h'));
}

function printHelp(name: string | undefined): number {
  const columns = columnsOf(stdout);
  stdout.write(name === undefined ? overviewText(commands, columns) : commandText(findCommand(name), columns));
  return ExitCode.Done;
}

async function printVersion(): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  stdout.write(`sluice ${version}\n`);
  return ExitCode.Done;
}

/** @throws {CommandError} exit code 2 */
function findCommand(name: string): CommandDefinition {
  const command = commands.find((each) => each.name === name);
  if (command) return command;
  const what = name.startsWith('-') ? 'option' : 'command';
  const names = what === 'option' ? ['--help', '--version'] : [...commands.map((each) => each.name), 'help'];
  const nearest = nearestName(name, names);
  const hint = nearest ? `did you mean ${nearest}?` : 'sluice --help lists what there is';
  throw usageError(`unknown ${what} ${name}: ${hint}`);
}

/** One line, no stack. @returns the exit code */
async function reportError(error: unknown): Promise<ExitCode> {
  // knows the errors of the client, which only commands load that have it loaded already
  const { message, exitCode } =
    error instanceof CommandError ? error : (await import('./failure.js')).describeFailure(error);
  stderr.write(`${messageLine(message)}\n`);
  return exitCode;
}
