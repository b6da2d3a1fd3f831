import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StorageError, storageErrorFrom } from '../../../../packages/server/dist/storage/storage-error.js';

const systemError = (code: string): Error => Object.assign(new Error(`${code}: no luck, open '/srv/secret'`), { code });

describe('storageErrorFrom', () => {
  const expected = [
    ['ENOENT', 'file', 'ERR_FILE_NOT_FOUND'],
    ['ENOENT', 'directory', 'ERR_DIRECTORY_NOT_FOUND'],
    ['ENOTDIR', 'directory', 'ERR_NOT_A_DIRECTORY'],
    ['ELOOP', 'directory', 'ERR_NOT_A_DIRECTORY'],
    ['ELOOP', 'file', 'ERR_NOT_A_FILE'],
    ['EISDIR', 'file', 'ERR_NOT_A_FILE'],
    ['ENXIO', 'file', 'ERR_NOT_A_FILE'],
    ['ENAMETOOLONG', 'file', 'ERR_NAME_INVALID'],
    ['EBUSY', 'directory', 'ERR_IN_USE'],
    ['ENOSPC', 'file', 'ERR_DISK_FULL'],
    ['EDQUOT', 'file', 'ERR_DISK_FULL'],
    ['EACCES', 'file', 'ERR_IO'],
    ['EPERM', 'file', 'ERR_IO'],
    ['EROFS', 'file', 'ERR_IO'],
    ['EMFILE', 'file', 'ERR_TOO_MANY_FILES'],
    ['EIO', 'file', 'ERR_IO'],
  ] as const;
  for (const [systemCode, subject, code] of expected) {
    it(`says ${code} for ${systemCode} about a ${subject}, and no path or system text (D22)`, () => {
      const cause = systemError(systemCode);
      const error = storageErrorFrom(cause, subject);
      assert.equal(error.code, code);
      assert.equal(error.cause, cause);
      assert.match(error.message, /^[a-z -]+$/);
    });
  }

  it('hands a StorageError back as it is', () => {
    const error = new StorageError('ERR_IN_USE', 'file is in use');
    assert.equal(storageErrorFrom(error, 'directory'), error);
  });

  it('takes anything else that was thrown for an ERR_IO', () => {
    assert.equal(storageErrorFrom('text', 'file').code, 'ERR_IO');
    assert.equal(storageErrorFrom(undefined, 'file').code, 'ERR_IO');
  });
});
