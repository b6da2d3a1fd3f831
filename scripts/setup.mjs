// Makes a clone ready to run: installs from the lock file and builds, each only when it is out of date.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const stampFile = path.join(root, 'build', '.setup.json');

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Sluice needs Node 20.19 or later; this is ${process.versions.node}.`);
}

const stamp = readStamp();
const lockDigest = createHash('sha256')
  .update(readFileSync(path.join(root, 'package-lock.json')))
  .update(`${process.platform}-${process.arch}`)
  .digest('hex');

if (stamp.lock !== lockDigest || !existsSync(path.join(root, 'node_modules', '.bin', 'tsc'))) {
  run('installing from the lock file', 'npm', [
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]);
}
const newest = newestSource(['packages', 'test', 'bench', 'crash-demo', 'soak'], /\.(ts|tsx|json)$/);
if (stamp.lock !== lockDigest || stamp.newest !== newest || !existsSync(path.join(root, 'packages/cli/dist/main.js'))) {
  run('building', process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-b']);
}
// what the page is made of, and of which its bundle has parts
const page = newestSource(
  ['dashboard', 'client', 'wire', 'framing'].map((name) => `packages/${name}`),
  /\.(ts|tsx|css|html|svg|json)$/,
);
const pageFile = path.join(root, 'packages/dashboard/dist/index.html');
if (stamp.lock !== lockDigest || stamp.page !== page || !existsSync(pageFile)) {
  const vite = path.join(root, 'node_modules/vite/bin/vite.js');
  run('building the dashboard', process.execPath, [vite, 'build', 'packages/dashboard', '--logLevel', 'warn']);
}
mkdirSync(path.dirname(stampFile), { recursive: true });
writeFileSync(stampFile, JSON.stringify({ lock: lockDigest, newest, page }));

/** What changes whenever a source or a project file is added, removed or written: count and newest time. */
function newestSource(folders, pattern) {
  let count = 0;
  let newestMs = 0;
  const visit = (directory) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (['node_modules', 'dist', 'build', '.git', 'results'].includes(entry.name)) continue;
      const full = path.join(directory, entry.name);
      if (entry.isDirectory()) visit(full);
      else if (pattern.test(entry.name)) {
        count += 1;
        newestMs = Math.max(newestMs, statSync(full).mtimeMs);
      }
    }
  };
  for (const folder of folders) visit(path.join(root, folder));
  for (const file of ['tsconfig.json', 'tsconfig.base.json'])
    newestMs = Math.max(newestMs, statSync(path.join(root, file)).mtimeMs);
  return `${count}:${newestMs}`;
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'));
  } catch {
    return {};
  }
}

function run(what, command, args) {
  process.stderr.write(`sluice: ${what} ...\n`);
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) fail(`${what} failed (${command} ${args.join(' ')}).`);
}

function fail(message) {
  process.stderr.write(`sluice: ${message}\n`);
  process.exit(1);
}
