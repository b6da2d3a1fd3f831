// Runs every compiled test file with node's own test runner. Arguments are parts of file names: `npm test -- outbound`.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const wanted = process.argv.slice(2);
const files = readdirSync(path.join(root, 'build/test'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.test.js'))
  .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .filter((file) => hasSource(file))
  .sort();

if (files.length === 0) {
  process.stderr.write('no test file matches\n');
  process.exit(1);
}
const reporter = process.stdout.isTTY ? 'spec' : 'tap';
// Node would run one file at a time on two cores; most tests wait for others to answer.
const atOnce = Math.max(2, availableParallelism() - 1);
const result = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--test', `--test-concurrency=${atOnce}`, `--test-reporter=${reporter}`, ...files],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
process.exit(result.status ?? 1);

/** A compiled test whose source was renamed or removed must not run. */
function hasSource(file) {
  const [folder, ...rest] = path.relative(path.join(root, 'build/test'), file).split(path.sep);
  const source = path.join(root, folder === 'e2e' ? 'test' : path.join('packages', folder, 'test'), ...rest);
  return sourceExists(source.replace(/\.js$/, '.ts'));
}

function sourceExists(source) {
  try {
    return readdirSync(path.dirname(source)).includes(path.basename(source));
  } catch {
    return false;
  }
}
