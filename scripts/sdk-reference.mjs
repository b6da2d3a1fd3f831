// Prints the reference part of docs/sdk.md, made from the built type declarations of @sluice/client; `--write` puts it into the page.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const declarations = path.join(root, 'packages/client/dist');
const page = path.join(root, 'docs/sdk.md');
/** Everything behind this line of the page is generated. */
const MARKER = '<!-- made by scripts/sdk-reference.mjs from the docstrings: do not edit below -->\n';

const reference = `\n${partOf(exportsOf('.'))}\n## Reference for browsers\n
What \`@sluice/client/browser\` has of its own; the rest is as above.\n\n${partOf(exportsOf('browser'))}`;

if (process.argv.includes('--write')) {
  const [introduction] = readFileSync(page, 'utf8').split(MARKER);
  writeFileSync(page, `${introduction}${MARKER}${reference}`);
} else {
  process.stdout.write(reference);
}

function partOf(names) {
  return names.map(({ name, file }) => `### ${name}\n\n\`\`\`ts\n${declarationOf(name, file)}\n\`\`\`\n`).join('\n');
}

/** The names that the index of a folder exports from beside it, in its order. */
function exportsOf(folder) {
  const index = readFileSync(path.join(declarations, folder, 'index.d.ts'), 'utf8');
  return [...index.matchAll(/^export (?:type )?\{([^}]*)\} from '\.\/(.*)\.js';$/gm)].flatMap(([, names, module]) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
      .map((name) => ({ name, file: path.join(folder, `${module}.d.ts`) }))
      .filter(({ name, file }) => !isFromElsewhere(name, file)),
  );
}

/** Whether a file hands a name of another package on; the introduction of the page has those. */
function isFromElsewhere(name, file) {
  return new RegExp(`^export (type )?\\{[^}]*\\b${name}\\b[^}]*\\}`, 'm').test(
    readFileSync(path.join(declarations, file), 'utf8'),
  );
}

/** The declaration of a name with the docstring in front of it, without what is private. */
function declarationOf(name, file) {
  const lines = readFileSync(path.join(declarations, file), 'utf8').split('\n');
  const start = lines.findIndex((line) =>
    new RegExp(`^export (declare )?(function|class|const|interface|type) ${name}\\b`).test(line),
  );
  if (start < 0) throw new Error(`${file} does not declare ${name}`);
  let end = start;
  if (lines[start].endsWith('{')) while (!lines[end].startsWith('}')) end += 1;
  else while (!lines[end].endsWith(';')) end += 1;
  const body = withoutPrivate(lines.slice(start, end + 1));
  body[0] = body[0].replace(/^export (declare )?/, '');
  return [...docstringBefore(lines, start), ...body]
    .map((line) => line.replace(/^( {4})+/, (indent) => ' '.repeat(indent.length / 2)))
    .map((line) => line.replaceAll(/\{@link (\w+)\}/g, '`$1`'))
    .join('\n');
}

function docstringBefore(lines, start) {
  if (!lines[start - 1]?.endsWith('*/')) return [];
  let first = start - 1;
  while (!lines[first].startsWith('/**')) first -= 1;
  return lines.slice(first, start);
}

/** Drops `#private` and members whose docstring says `@internal`. */
function withoutPrivate(lines) {
  const kept = [];
  let docstring = [];
  for (let i = 0; i < lines.length; i++) {
    const text = lines[i].trim();
    if (text.startsWith('/**')) {
      docstring = [lines[i]];
      while (!lines[i].trim().endsWith('*/')) docstring.push(lines[++i]);
      continue;
    }
    const isPrivate = /^(private |#)/.test(text) || docstring.some((line) => line.includes('@internal'));
    if (!isPrivate) kept.push(...docstring, lines[i]);
    docstring = [];
  }
  return kept;
}
