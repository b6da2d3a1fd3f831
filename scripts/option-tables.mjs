// Writes the option tables of all commands into docs/operations.md, between "## Options" and "### Environment". Needs a build.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const { commands } = await import(path.join(root, 'packages/cli/dist/command-list.js'));
const { optionSyntax } = await import(path.join(root, 'packages/cli/dist/help.js'));
const { defaultText, isRepeatable } = await import(path.join(root, 'packages/cli/dist/options/option-table.js'));
const file = path.join(root, 'docs/operations.md');
const page = readFileSync(file, 'utf8');
const start = page.indexOf('### sluice ');
const end = page.indexOf('### Environment');
writeFileSync(file, page.slice(0, start) + commands.map(sectionOf).join('') + page.slice(end));

function sectionOf({ name, summary, usage, options }) {
  const line = `sluice ${name} [options] ${usage}`.trimEnd();
  const rows = Object.entries(options).map(([option, about]) => {
    const value = defaultText(about);
    const repeatable = isRepeatable(about) ? '; may be repeated' : '';
    const cells = [
      `\`${optionSyntax(option, about).trim()}\``,
      value === undefined ? '' : `\`${value}\``,
      about.summary + repeatable,
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  });
  const table = rows.length === 0 ? '' : `| option | default | meaning |\n|---|---|---|\n${rows.join('')}\n`;
  return `### sluice ${name}\n\n${summary}: \`${line}\`\n\n${table}`;
}
