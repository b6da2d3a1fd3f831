import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  DEFAULT_DIRECTORY_ANCHOR,
  DirectoryHandle,
} from '../../../../packages/server/dist/storage/directory-handle.js';
import { temporaryDirectory } from './temporary-directory.js';

describe('DirectoryHandle', () => {
  it('opens no link, also if nobody has looked at it before', async () => {
    await using directory = await temporaryDirectory();
    await writeFile(join(directory.path, 'file'), '');
    await mkdir(join(directory.path, 'sub'));
    await symlink('file', join(directory.path, 'link'));
    await symlink('sub', join(directory.path, 'sublink'));
    await using handle = await DirectoryHandle.open(directory.path, DEFAULT_DIRECTORY_ANCHOR);
    await assert.rejects(handle.openFile('link', constants.O_RDWR), { code: 'ELOOP' });
    await assert.rejects(handle.openFile('link', constants.O_RDONLY), { code: 'ELOOP' });
    await assert.rejects(handle.openChild('sublink'), { code: 'ENOTDIR' });
  });

  it('does not hang on a FIFO', async () => {
    await using directory = await temporaryDirectory();
    execFileSync('mkfifo', [join(directory.path, 'fifo')]);
    await using handle = await DirectoryHandle.open(directory.path, DEFAULT_DIRECTORY_ANCHOR);
    await (await handle.openFile('fifo', constants.O_RDONLY)).close();
    await assert.rejects(handle.openFile('fifo', constants.O_WRONLY), { code: 'ENXIO' });
  });

  it('is closed after the operations in progress, so that none of them meets another directory', async () => {
    await using directory = await temporaryDirectory();
    await writeFile(join(directory.path, 'file'), '');
    for (let round = 0; round < 20; round += 1) {
      const handle = await DirectoryHandle.open(directory.path, DEFAULT_DIRECTORY_ANCHOR);
      const order: string[] = [];
      const operations = Array.from({ length: 30 }, () => handle.stat('file').then(() => order.push('operation')));
      const closing = handle.close().then(() => order.push('closed'));
      assert.equal(handle.close(), handle.close(), 'closing twice is closing once');
      await Promise.all([...operations, closing]);
      assert.equal(order.indexOf('closed'), 30);
      await assert.rejects(handle.stat('file'), { code: 'ERR_IO' });
    }
  });
});
