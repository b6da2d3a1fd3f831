import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  type ChannelBindingFlag,
  decodeBase64,
  decodeScramClientFinal,
  decodeScramClientFirst,
  decodeScramServerFinal,
  decodeScramServerFirst,
  encodeBase64,
  encodeScramClientFinal,
  encodeScramServerFinal,
  encodeScramServerFirst,
  makeScramClientFirst,
  preparePassword,
  RequestError,
  type ScramHash,
  scramAuthMessage,
  scramKeysOf,
  scramProof,
  scramProvenKey,
  scramSignature,
  scramWithoutProof,
} from '@sluice/wire';
import fc from 'fast-check';

function hashOf(name: string): ScramHash {
  return {
    hash: (data) => createHash(name).update(data).digest(),
    hmac: (key, data) => createHmac(name, key).update(data).digest(),
  };
}

const NO_CHANNEL = new Uint8Array(0);
const isCode6 = (error: unknown): boolean => error instanceof RequestError && error.resultCode === 6;

/** Both are of the user `user`, password `pencil`. */
const vectors = [
  {
    source: 'RFC 7677, section 3',
    hash: 'sha256',
    nonce: 'rOprNGfwEbeRWgbNEkqO',
    clientFirst: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    clientFinal:
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
  {
    source: 'RFC 5802, section 5',
    hash: 'sha1',
    nonce: 'fyko+d2lbbFgONRv9qkxdawL',
    clientFirst: 'n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL',
    serverFirst: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
    clientFinal: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    serverFinal: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
] as const;

describe('SCRAM', () => {
  for (const { source, hash: name, nonce, clientFirst, serverFirst, clientFinal, serverFinal } of vectors) {
    it(`gives the messages of the example in ${source}`, () => {
      const hash = hashOf(name);
      const first = makeScramClientFirst('none', 'user', nonce);
      assert.equal(first.header + first.bare, clientFirst);
      assert.deepEqual(decodeScramClientFirst(clientFirst), first);
      const challenge = decodeScramServerFirst(serverFirst);
      assert.equal(encodeScramServerFirst(challenge), serverFirst);
      assert.ok(challenge.nonce.startsWith(nonce));

      const { salt, iterations } = challenge;
      const salted = pbkdf2Sync('pencil', salt, iterations, hash.hash(NO_CHANNEL).length, name);
      const withoutProof = scramWithoutProof(first.header, NO_CHANNEL, challenge.nonce);
      const authMessage = scramAuthMessage(first.bare, serverFirst, withoutProof);
      const proof = scramProof(hash, salted, authMessage);
      assert.equal(encodeScramClientFinal(withoutProof, proof), clientFinal);

      const { storedKey, serverKey } = scramKeysOf(hash, salted);
      assert.deepEqual(Buffer.from(scramProvenKey(hash, storedKey, authMessage, proof)), Buffer.from(storedKey));
      assert.equal(encodeScramServerFinal(scramSignature(hash, serverKey, authMessage)), serverFinal);
    });
  }

  it('reads back the last messages of the example with SHA-256', () => {
    const [{ clientFinal, serverFinal }] = vectors;
    const { binding, nonce, withoutProof, proof } = decodeScramClientFinal(clientFinal);
    assert.equal(binding, 'biws');
    assert.equal(nonce, 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0');
    assert.equal(encodeScramClientFinal(withoutProof, proof), clientFinal);
    assert.equal(encodeScramServerFinal(decodeScramServerFinal(serverFinal)!), serverFinal);
    assert.equal(decodeScramServerFinal('e=invalid-proof'), undefined);
  });

  it('carries any user name, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const first = makeScramClientFirst('none', name, 'nonce');
        assert.deepEqual(decodeScramClientFirst(first.header + first.bare), first);
      }),
    );
  });

  for (const [binding, header] of [
    ['none', 'n,,'],
    ['not-offered', 'y,,'],
    [{ type: 'tls-exporter' }, 'p=tls-exporter,,'],
  ] as const satisfies readonly (readonly [ChannelBindingFlag, string])[]) {
    it(`says by ${header} what there is of channel binding, and binds that too`, () => {
      const first = makeScramClientFirst(binding, 'ada', 'x');
      assert.equal(first.header, header);
      assert.deepEqual(decodeScramClientFirst(`${header}n=ada,r=x`).binding, binding);
      const [, bound = ''] = /^c=([^,]+),/.exec(scramWithoutProof(header, Uint8Array.of(0, 255), 'x')) ?? [];
      assert.equal(Buffer.from(bound, 'base64').toString('latin1'), `${header}\u0000\u00ff`);
    });
  }

  it('lets extensions pass that it does not know, and refuses those that must be understood', () => {
    assert.equal(decodeScramClientFirst('n,,n=a,r=x,t=new').nonce, 'x');
    assert.throws(() => decodeScramClientFirst('n,,m=must,n=a,r=x'), isCode6);
    assert.equal(decodeScramServerFirst('r=xy,s=AAAA,i=4096,t=new').iterations, 4096);
    assert.throws(() => decodeScramServerFirst('m=must,r=xy,s=AAAA,i=4096'), { code: 'ERR_RESPONSE_INVALID' });
  });

  for (const message of [
    '',
    'n',
    'n,,',
    'n,,n=a',
    'n,,r=x,n=a',
    'n,,n=a,r=',
    'n,,n=a,r=x y',
    'n,,n=a=,r=x',
    'n,,n=a=2c,r=x',
    'n,a=root,n=a,r=x',
    'x,,n=a,r=x',
    'p,,n=a,r=x',
    'p=,,n=a,r=x',
  ]) {
    it(`refuses the first message ${JSON.stringify(message)} with code 6`, () => {
      assert.throws(() => decodeScramClientFirst(message), isCode6);
    });
  }

  for (const message of ['', 'c=biws', 'c=biws,r=x', 'c=biws,r=x,p=', 'c=biws,r=x,p=AAAA', 'c=bi ws,r=x,p=AAAA']) {
    it(`refuses the last message ${JSON.stringify(message)} with code 6`, () => {
      assert.throws(() => decodeScramClientFinal(message), isCode6);
    });
  }

  for (const message of [
    '',
    'e=other-error',
    'r=x',
    'r=x,s=,i=1',
    'r=x,s=%,i=4096',
    'r=x,s=AAAA,i=0',
    'r=x,s=AAAA,i=-1',
  ]) {
    it(`takes ${JSON.stringify(message)} for no challenge`, () => {
      assert.throws(() => decodeScramServerFirst(message), { code: 'ERR_RESPONSE_INVALID' });
    });
  }
});

describe('base64', () => {
  it('is that of the platform, and reads back only what it writes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = encodeBase64(bytes);
        assert.equal(text, Buffer.from(bytes).toString('base64'));
        assert.deepEqual(decodeBase64(text), bytes);
      }),
    );
    for (const text of ['A', 'AA', 'AB==', 'AAAA====', 'AA\nA', '-_-_', 'A=AA'])
      assert.equal(decodeBase64(text), undefined);
  });
});

describe('preparePassword', () => {
  // The examples of RFC 4013, section 3, as far as they are no prohibitions of 2002.
  for (const [given, prepared] of [
    ['I\u00adX', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    ['a\u00a0b\u3000c', 'a b c'],
    ['e\u0301', '\u00e9'],
    ['\u{1f600}', '\u{1f600}'],
    [' x ', ' x '],
    ['\u0007', undefined],
    ['a\tb', undefined],
    ['\ud800', undefined],
    ['', undefined],
    ['\u00ad', undefined],
  ] as const) {
    it(`makes ${JSON.stringify(prepared)} of ${JSON.stringify(given)}`, () => {
      assert.equal(preparePassword(given), prepared);
    });
  }
});
