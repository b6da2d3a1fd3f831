import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClientError, parseSluiceUrl } from '@sluice/client';

describe('parseSluiceUrl', () => {
  const cases: [url: string, endpoint: object, path: string][] = [
    ['sluice://host', { host: 'host', port: 9999 }, ''],
    ['sluice://host:1234/', { host: 'host', port: 1234 }, ''],
    ['SLUICE://host/a/b.bin', { host: 'host', port: 9999 }, 'a/b.bin'],
    ['sluice://host/dir/', { host: 'host', port: 9999 }, 'dir/'],
    ['sluice://anna@host/', { host: 'host', port: 9999, userName: 'anna' }, ''],
    ['sluice://anna:@host/', { host: 'host', port: 9999, userName: 'anna', password: '' }, ''],
    ['sluice://a%40b:p%2Fw%3A%25@host', { host: 'host', port: 9999, userName: 'a@b', password: 'p/w:%' }, ''],
    ['sluice://anna:p@ss@host', { host: 'host', port: 9999, userName: 'anna', password: 'p@ss' }, ''],
    ['sluice://[::1]:5/x', { host: '::1', port: 5 }, 'x'],
    ['sluice://host/%E6%95%B0 =%2B?#.txt', { host: 'host', port: 9999 }, '数 =+?#.txt'],
  ];
  for (const [url, endpoint, path] of cases) {
    it(`reads ${url}`, () => assert.deepEqual(parseSluiceUrl(url), { endpoint, path }));
  }

  for (const url of [
    '',
    'host',
    'http://host/',
    'sluice://',
    'sluice:///x',
    'sluice://host:0/',
    'sluice://host:65536/',
    'sluice://h:x/',
  ]) {
    it(`refuses ${JSON.stringify(url)}`, () => {
      assert.throws(() => parseSluiceUrl(url), { code: 'ERR_URL', retryable: false });
    });
  }

  it('never says the password in a message', () => {
    for (const url of [
      'sluice://u:secret@',
      'sluice://u:secret@h:99999',
      'sluice://u:secret%@h',
      'http://u:secret@h/',
    ]) {
      assert.throws(
        () => parseSluiceUrl(url),
        (error) => error instanceof ClientError && !error.message.includes('secret'),
      );
    }
  });
});
