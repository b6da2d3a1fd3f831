import { access, constants, stat } from 'node:fs/promises';
import { CommandError, usageError } from '../command-error.js';
import { serve } from '../commands/serve.js';
import { ExitCode } from '../exit-code.js';
import { defaultText, type Option, type OptionTable } from '../options/option-table.js';
import { httpOf } from '../serve/http-options.js';
import { loadTls } from '../serve/tls-options.js';
import { workersOf } from '../serve/worker-options.js';
import { messageLine } from '../terminal/message-line.js';
import { stderr, stdout } from '../terminal/standard-streams.js';
import { configure, type Setting } from './configuration.js';
import { systemReason } from './system-reason.js';

const table: OptionTable = serve.options;

/** `sluice config`. */
export async function runConfig(argv: readonly string[]): Promise<number> {
  const { invocation, settings, problems } = configure(serve.options, argv, process.env);
  const [action, ...others] = invocation.operands;
  if (action !== 'check' && action !== 'show') throw usageError('config needs to know what to do: check or show');
  if (others.length > 0) throw usageError(`config ${action} takes no operands: ${others[0]}`);
  const found = problems.length > 0 ? problems : action === 'check' ? await problemsOnDisk(invocation) : [];
  for (const problem of found) stderr.write(`${messageLine(problem)}\n`);
  if (found.length > 0) return ExitCode.Failed;
  stdout.write(action === 'show' ? `${linesOf(settings).join('\n')}\n` : 'nothing is wrong\n');
  return ExitCode.Done;
}

/** What stands in the way of a start although the options are right. */
async function problemsOnDisk({ options, given }: ReturnType<typeof configure<typeof serve.options>>['invocation']) {
  const problems: string[] = [];
  const server = await import('@sluice/server');
  const look = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      problems.push(error instanceof CommandError ? error.message : systemReason(error));
    }
  };
  await look(async () => {
    const root = await stat(options.root).catch(() => undefined);
    if (!root && !given.has('root')) return; // it is made
    if (!root) throw new CommandError(ExitCode.Failed, `the root ${options.root} does not exist`);
    if (!root.isDirectory()) throw new CommandError(ExitCode.Failed, `the root ${options.root} is not a directory`);
    await access(options.root, constants.R_OK | constants.X_OK);
  });
  if (options.user.length > 0 && options.users !== undefined)
    problems.push('give users by --user or by --users, not by both');
  else if (options.users !== undefined) {
    const file = options.users;
    await look(() => server.readUsersFile(file));
  }
  await look(async () => workersOf(options));
  await look(async () => httpOf(options, given));
  await look(() => loadTls(server, options));
  return problems;
}

/** A TOML file; what is at its default is a comment. */
function linesOf(settings: readonly Setting[]): string[] {
  const rows = settings
    .filter(({ name }) => name !== 'config')
    .map((setting) => ({ ...setting, text: lineOf(setting, table[setting.name]!) }));
  const width = Math.min(
    48,
    rows.reduce((most, { text }) => Math.max(most, text.length), 0),
  );
  return rows.map(({ text, origin }) => `${text.padEnd(width)}  # ${origin}`);
}

function lineOf({ name, texts }: Setting, option: Option): string {
  const isList = option.kind === 'choices' || (option.kind === 'string' && option.repeatable === true);
  if (texts === undefined) {
    const text = defaultText(option);
    if (option.kind === 'flag') return `${name} = false`;
    if (isList) return `${name} = []`;
    return text === undefined ? `# ${name} = ""` : `${name} = ${tomlValue(option, text)}`;
  }
  if (option.kind === 'flag') return `${name} = true`;
  const shown = name === 'user' ? texts.map((text) => text.replace(/:.*$/s, ':***')) : texts;
  return isList
    ? `${name} = [${shown.map(tomlText).join(', ')}]`
    : `${name} = ${tomlValue(option, shown.at(-1) ?? '')}`;
}

function tomlValue(option: Option, text: string): string {
  return option.kind === 'integer' ? text : tomlText(text);
}

/** JSON's escapes are TOML's, except for DEL. */
function tomlText(text: string): string {
  return JSON.stringify(text).replaceAll('\x7f', '\\u007f');
}
