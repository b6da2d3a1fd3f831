import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gatewayAddress } from '../../../../packages/client/dist/browser/gateway-url.js';

describe('The URL of a gateway', () => {
  const page = 'https://files.example:8443/app/index.html?x#y';
  const resolved: readonly (readonly [given: string, base: string | undefined, expected: string])[] = [
    ['/', page, 'wss://files.example:8443/gateway'],
    ['http://127.0.0.1:9980', undefined, 'ws://127.0.0.1:9980/gateway'],
    ['https://a.example', page, 'wss://a.example/gateway'],
    ['ws://a.example:81/gateway', page, 'ws://a.example:81/gateway'],
    ['wss://a.example/behind/a/proxy?x#y', page, 'wss://a.example/behind/a/proxy'],
    ['other/gateway', page, 'wss://files.example:8443/app/other/gateway'],
  ];
  for (const [given, base, expected] of resolved) {
    it(`${given} ${base ? 'on a page ' : ''}is ${expected}`, () => {
      assert.equal(gatewayAddress(given, base).url.href, expected);
    });
  }

  it('may name user and password, which do not stay in it', () => {
    const { url, userName, password } = gatewayAddress('wss://a%40b:p%3Aw@host.example/', undefined);
    assert.deepEqual([url.href, userName, password], ['wss://host.example/gateway', 'a@b', 'p:w']);
  });

  it('is ERR_URL when no browser could go there', () => {
    for (const given of ['sluice://host/', 'ftp://host/', '/', 'http://']) {
      assert.throws(() => gatewayAddress(given, undefined), { code: 'ERR_URL' });
    }
  });
});
