import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ChunkDigester, digestChunks, syncDirectory } from '@sluice/files';
import { PartialFile } from '../../../packages/client/dist/partial-file.js';
import { SourceFile } from '../../../packages/client/dist/source-file.js';

/** What Node's functions reject with. */
const SYSTEM_ERROR = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
const fail = () => Promise.reject(SYSTEM_ERROR);

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-local-'));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

describe('A source file', () => {
  it('reports what the system says as ERR_LOCAL_FILE, and is closed whatever the system says', async () => {
    await inDirectory(async (directory) => {
      const path = join(directory, 'a');
      await writeFile(path, 'content');
      const source = await SourceFile.open(path);
      Object.assign(source.handle, { stat: fail });
      await assert.rejects(source.requireUnchanged(), { code: 'ERR_LOCAL_FILE', cause: SYSTEM_ERROR });
      const close = source.handle.close.bind(source.handle);
      Object.assign(source.handle, { close: () => close().then(fail) });
      await source.close();
      assert.equal(source.handle.fd, -1);
    });
  });
});

describe('A partial file', () => {
  it('reports what the system says as ERR_LOCAL_FILE, and is closed whatever the system says', async () => {
    await inDirectory(async (directory) => {
      const partial = await PartialFile.open(join(directory, 'a'));
      Object.assign(partial.handle, { stat: fail });
      await assert.rejects(partial.length(), { code: 'ERR_LOCAL_FILE', cause: SYSTEM_ERROR });
      await assert.rejects(partial.commit(0), { code: 'ERR_LOCAL_FILE' });
      await partial.close();
      assert.equal(partial.handle.fd, -1);
    });
  });

  it('drops what could not be synced: the next download would find it equal, before it is gone', async () => {
    await inDirectory(async (directory) => {
      const partial = await PartialFile.open(join(directory, 'a'));
      await partial.keep(0);
      const datasync = partial.handle.datasync.bind(partial.handle);
      const syncs: Promise<void>[] = [];
      Object.assign(partial.handle, {
        datasync: () => {
          const sync = syncs.length === 0 ? datasync() : fail();
          syncs.push(sync);
          return sync;
        },
      });
      const block = Buffer.alloc(64 << 20, 1); // after which a sync begins
      for (let i = 0; i < 2; i++) {
        await partial.write([block]);
        await syncs[i]?.catch(() => {});
        await new Promise(setImmediate);
      }
      assert.equal(await partial.length(), 2 * block.length);
      await partial.close();
      assert.equal((await readFile(partial.path)).length, block.length);
    });
  });

  it('is removed when nothing of it could be synced', async () => {
    await inDirectory(async (directory) => {
      const partial = await PartialFile.open(join(directory, 'a'));
      await partial.keep(0);
      Object.assign(partial.handle, { datasync: fail });
      await partial.write([Buffer.from('some')]);
      await assert.rejects(partial.commit(4), { code: 'ERR_LOCAL_FILE', cause: SYSTEM_ERROR });
      await partial.close();
      assert.deepEqual(await readdir(directory), []);
    });
  });
});

describe('syncDirectory', () => {
  it('does nothing where the file system has no such call', async () => {
    if (process.platform === 'linux') await syncDirectory('/proc/self');
  });

  it('does nothing in a directory that may be changed and not read', async () => {
    await inDirectory(async (directory) => {
      await chmod(directory, 0o300);
      const script = `
        import { readdirSync } from 'node:fs';
        import { syncDirectory } from '@sluice/files';
        await syncDirectory(process.argv[1]);
        try { readdirSync(process.argv[1]); } catch (error) { console.log(error.code); }`;
      const { stdout } = await runUnprivileged(script, directory);
      assert.equal(stdout, 'EACCES\n');
      await chmod(directory, 0o700);
    });
  });

  it('says so when there is no directory', async () => {
    await assert.rejects(syncDirectory('/no/such/directory'), { code: 'ENOENT' });
  });
});

describe('ChunkDigester', () => {
  for (const size of [0, 1, 7, 8, 9, 16, 20]) {
    it(`digests ${size} bytes as digestChunks does, however they are split`, async () => {
      await inDirectory(async (directory) => {
        const bytes = Buffer.from(Array.from({ length: size }, (_, i) => i));
        await writeFile(join(directory, 'a'), bytes);
        const source = await SourceFile.open(join(directory, 'a'));
        const expected = await digestChunks(source.handle, { position: 0, count: size, chunkBytes: 8 });
        await source.close();
        for (let step = 1; step <= size + 1; step++) {
          const digester = await ChunkDigester.create(8);
          for (let at = 0; at < size; at += step) {
            digester.update(bytes.subarray(at, at + step));
            digester.digests(); // does not disturb what follows
          }
          assert.deepEqual(digester.digests(), expected);
        }
      });
    });
  }
});

/** Runs a script without the right of root to open locked files. */
function runUnprivileged(script: string, argument: string): Promise<{ stdout: string }> {
  const OVERRIDES = '-dac_override,-dac_read_search';
  const isRoot = process.getuid?.() === 0;
  const wrapper = isRoot ? ['setpriv', `--bounding-set=${OVERRIDES}`, `--inh-caps=${OVERRIDES}`] : [];
  const words = [...wrapper, process.execPath, '--input-type=module', '-e', script, argument];
  const [program, ...args] = words as [string, ...string[]];
  const cwd = fileURLToPath(new URL('../../../packages/client', import.meta.url)); // whose packages the script imports
  return promisify(execFile)(program, args, { cwd });
}
