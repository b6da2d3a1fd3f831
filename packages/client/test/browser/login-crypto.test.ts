import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pbkdf2 } from '../../../../packages/client/dist/browser/pbkdf2.js';
import { Hmac, sha256 } from '../../../../packages/client/dist/browser/sha256.js';

const bytes = fc.uint8Array({ maxLength: 300 });

describe('What browsers do not have on every page', () => {
  it('SHA-256 is what Node has, for every length around a block', () => {
    for (let length = 0; length <= 260; length++) {
      const data = new Uint8Array(length).map((_, i) => i * 7 + length);
      assert.deepEqual(Buffer.from(sha256(data)), createHash('sha256').update(data).digest());
    }
    fc.assert(fc.property(bytes, (data) => createHash('sha256').update(data).digest().equals(sha256(data))));
  });

  it('HMAC is what Node has, also with keys longer than a block', () => {
    fc.assert(
      fc.property(bytes, bytes, (key, data) =>
        createHmac('sha256', key).update(data).digest().equals(new Hmac(key).of(data)),
      ),
    );
  });

  it('PBKDF2 is the same with the help of the browser and without, and gives the page its turns', async () => {
    const salt = Uint8Array.from([1, 2, 3, 200]);
    let turns = 0;
    const nextTurn = async (): Promise<void> => {
      turns += 1;
    };
    for (const [password, iterations] of [
      ['geheim ✓', 4096],
      ['a', 1],
      ['x'.repeat(100), 60_000],
    ] as const) {
      const expected = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
      assert.deepEqual(Buffer.from(await pbkdf2(password, salt, iterations, nextTurn)), expected);
      // On a page that came without TLS the browser offers none: `null` stands for that, as undefined would be the default.
      const own = await pbkdf2(password, salt, iterations, nextTurn, null as unknown as undefined);
      assert.deepEqual(Buffer.from(own), expected);
    }
    assert.ok(turns > 0);
  });
});
