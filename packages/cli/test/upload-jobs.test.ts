import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { neededDirectories, type UploadFile } from '../../../packages/cli/dist/transfers/upload-jobs.js';

const file = (remotePath: string): UploadFile => ({ source: remotePath, remotePath, bytes: 1 });

describe('directories that are made before files are sent', () => {
  it('are those that no small file makes, and those that a large file is in beside small ones', () => {
    const directories = ['t', 't/small', 't/both', 't/empty', 't/deep', 't/deep/er'];
    const small = [file('t/small/a'), file('t/both/b')];
    const others = [file('t/both/large'), file('t/deep/large')];
    assert.deepEqual(neededDirectories(directories, { small, others }).sort(), [
      't/both',
      't/deep',
      't/deep/er',
      't/empty',
    ]);
  });

  it('are not made where a file is sent to a directory that is none of the tree', () => {
    assert.deepEqual(neededDirectories([], { small: [], others: [file('there/large')] }), []);
  });
});
