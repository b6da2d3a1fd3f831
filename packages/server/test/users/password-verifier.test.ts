import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  createVerifier,
  digestOf,
  faultOfVerifier,
  unfittingVerifier,
  verify,
} from '../../../../packages/server/dist/users/password-verifier.js';

describe('digestOf', () => {
  it('is what the clients of the original send for admin (4.2)', () => {
    assert.equal(digestOf('admin'), '21232f297a57a5a743894a0e4a801fc3');
  });

  it('takes the password in UTF-8', () => {
    assert.equal(digestOf('密码'), digestOf(Buffer.from('密码').toString()));
    assert.match(digestOf('密码'), /^[0-9a-f]{32}$/);
  });
});

describe('a verifier', () => {
  it('fits its digest and no other', async () => {
    const verifier = await createVerifier(digestOf('secret'));
    assert.equal(await verify(verifier, digestOf('secret')), true);
    assert.equal(await verify(verifier, digestOf('Secret')), false);
    assert.equal(await verify(verifier, ''), false);
  });

  it('holds neither the password nor the digest, and differs each time (D24)', async () => {
    const [one, two] = [await createVerifier(digestOf('secret')), await createVerifier(digestOf('secret'))];
    assert.notEqual(one.hash, two.hash);
    assert.doesNotMatch(JSON.stringify(one), new RegExp(`secret|${digestOf('secret')}`));
    assert.deepEqual([one.kdf, one.n, one.r, one.p], ['scrypt', 16_384, 8, 1]);
    assert.equal(Buffer.from(one.hash, 'base64').length, 32);
  });

  it('is checked with the parameters that are stored with it', async () => {
    const verifier = await createVerifier(digestOf('secret'));
    assert.equal(await verify({ ...verifier, n: 1024 }, digestOf('secret')), false);
  });

  it('may be checked many times at once', async () => {
    const verifier = await createVerifier(digestOf('7'));
    const checks = Array.from({ length: 12 }, (_, index) => verify(verifier, digestOf(`${index}`)));
    assert.deepEqual(
      (await Promise.all(checks)).map((isRight, index) => (isRight ? index : -1)).filter((index) => index !== -1),
      [7],
    );
  });

  it('is checked at most two at a time, so that threads stay free for files', async () => {
    const verifier = await createVerifier(digestOf('x'));
    const order: string[] = [];
    const checks = Array.from({ length: 6 }, () => verify(verifier, '').then(() => order.push('check')));
    const { stat } = await import('node:fs/promises');
    const file = stat('.').then(() => order.push('file'));
    await Promise.all([...checks, file]);
    assert.equal(order[0], 'file');
  });
});

describe('faultOfVerifier', () => {
  const good = unfittingVerifier({ n: 1024, r: 8, p: 1 });

  it('finds nothing wrong with a good one', () => assert.equal(faultOfVerifier(good), undefined));

  const bad: [string, unknown, RegExp][] = [
    ['no object', 'text', /object/],
    ['null', null, /object/],
    ['another function', { ...good, kdf: 'md5' }, /kdf/],
    ['a cost that is no power of two', { ...good, n: 1025 }, /"n"/],
    ['a cost that takes all memory', { ...good, n: 2 ** 30 }, /"n"/],
    ['a cost that is text', { ...good, n: '1024' }, /"n"/],
    ['a block size of 0', { ...good, r: 0 }, /"r"/],
    ['a parallelism of 1000', { ...good, p: 1000 }, /"p"/],
    ['a short salt', { ...good, salt: 'AAAA' }, /salt/],
    ['no salt', { ...good, salt: undefined }, /salt/],
    ['a hash that is no base64', { ...good, hash: '***' }, /hash/],
    ['a short hash', { ...good, hash: 'AAAA' }, /hash/],
  ];
  for (const [what, verifier, message] of bad) {
    it(`names the field for ${what}`, () => assert.match(faultOfVerifier(verifier) ?? '', message));
  }
});
