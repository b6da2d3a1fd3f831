import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  decodeListUsersRequest,
  decodeListUsersResponse,
  decodeRemoveUserRequest,
  decodeSetUserRequest,
  encodeJsonData,
  encodeListUsersRequest,
  encodeListUsersResponse,
  encodeRemoveUserRequest,
  encodeSetUserRequest,
  type SentVerifier,
  type SetUserRequest,
  USER_ROLES,
  type UserRecord,
} from '@sluice/wire';
import fc from 'fast-check';
import { responseOf, textOf } from './support.js';

const code6 = { name: 'RequestError', resultCode: 6 };
const invalid = { name: 'ProtocolError', code: 'ERR_RESPONSE_INVALID' };

/** Any text without CR and LF. */
const free = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !/[\r\n]/.test(text));
const bytes = (count: number) => fc.uint8Array({ minLength: count, maxLength: count });
const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const role = fc.constantFrom(...USER_ROLES);

const verifier: fc.Arbitrary<SentVerifier> = fc.record(
  {
    iterations: fc.integer({ min: 4096, max: 10_000_000 }),
    salt: bytes(16),
    storedKey: bytes(32),
    serverKey: bytes(32),
  },
  { noNullPrototype: true },
);

const settings = {
  role,
  root: free,
  quotaBytes: fc.option(count),
  isDisabled: fc.boolean(),
  expires: fc.option(free.filter((text) => text !== 'never')),
  verifier,
};

const change: fc.Arbitrary<SetUserRequest> = fc
  .record({ name: free, isNew: fc.boolean(), ...settings }, { noNullPrototype: true, requiredKeys: ['name', 'isNew'] })
  .filter(
    ({ isNew, verifier: given, ...others }) => given !== undefined || (!isNew && Object.keys(others).length > 1),
  ) as fc.Arbitrary<SetUserRequest>;

const user: fc.Arbitrary<UserRecord> = fc.record(
  {
    name: free,
    role,
    root: free,
    quotaBytes: count,
    isDisabled: fc.boolean(),
    expires: free,
    logins: fc.array(fc.constantFrom('scram', 'digest')),
  },
  { noNullPrototype: true, requiredKeys: ['name', 'role', 'root', 'isDisabled', 'logins'] },
) as fc.Arbitrary<UserRecord>;

/** A SetUser with a password, of which one line is another one. */
function withLine(key: string, value: string | undefined): string {
  const text = Buffer.from(
    encodeSetUserRequest({
      name: 'ada',
      isNew: false,
      verifier: {
        iterations: 4096,
        salt: new Uint8Array(16),
        storedKey: new Uint8Array(32),
        serverKey: new Uint8Array(32),
      },
    }),
  ).toString();
  const lines = text.split('\r\n').filter((line) => !line.startsWith(`${key}=`));
  return [...lines, ...(value === undefined ? [] : [`${key}=${value}`])].join('\r\n');
}

describe('messages about users', () => {
  it('come out as they went in', () => {
    fc.assert(
      fc.property(change, (value) => {
        assert.deepEqual(decodeSetUserRequest(textOf(encodeSetUserRequest(value))), value);
      }),
    );
    fc.assert(
      fc.property(free, fc.integer({ min: 1, max: 1000 }), (after, limit) => {
        assert.deepEqual(decodeListUsersRequest(textOf(encodeListUsersRequest({ after, limit }))), { after, limit });
        assert.equal(decodeRemoveUserRequest(textOf(encodeRemoveUserRequest(after))), after);
      }),
    );
    const listed = fc.record(
      { users: fc.array(user), source: fc.constantFrom('file' as const, 'command-line' as const), more: fc.boolean() },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(listed, (value) => {
        const response = responseOf(encodeListUsersResponse('ListUsers', value));
        // as JSON has it: a lone surrogate does not survive UTF-8 otherwise
        assert.deepEqual(decodeListUsersResponse(response, encodeJsonData(value.users)), value);
      }),
    );
  });

  it('are read, or refused with code 6, whatever the lines say', () => {
    const keys = ['UserName', 'New', 'Role', 'Root', 'Quota', 'Disabled', 'Expires', 'Iterations', 'Salt', 'StoredKey'];
    const lines = fc.array(fc.tuple(fc.constantFrom(...keys, 'ServerKey', 'Count', 'After'), free));
    fc.assert(
      fc.property(lines, (fields) => {
        const text = textOf(`[Request]\r\nCommand=SetUser\r\n${fields.map((field) => field.join('=')).join('\r\n')}`);
        for (const decode of [decodeSetUserRequest, decodeListUsersRequest, decodeRemoveUserRequest]) {
          try {
            decode(text);
          } catch (error) {
            assert.equal((error as { resultCode?: number }).resultCode, 6, String(error));
          }
        }
      }),
    );
  });

  it('are refused when a verifier is not whole, or of another length, and do not repeat it', () => {
    const short = Buffer.alloc(31, 5).toString('base64');
    for (const [key, value] of [
      ['Iterations', '4095'],
      ['Iterations', '10000001'],
      ['Iterations', '-1'],
      ['Iterations', 'many'],
      ['Iterations', undefined],
      ['Salt', Buffer.alloc(15).toString('base64')],
      ['Salt', undefined],
      ['StoredKey', short],
      ['StoredKey', Buffer.alloc(33, 5).toString('base64')],
      ['StoredKey', `${'A'.repeat(42)}B=`],
      ['ServerKey', 'A'.repeat(1_000_000)],
      ['ServerKey', undefined],
    ] as const) {
      assert.throws(
        () => decodeSetUserRequest(textOf(withLine(key, value))),
        (error: Error & { resultCode?: number }) =>
          error.resultCode === 6 && error.message.includes(key) && !error.message.includes(short),
        `${key} ${String(value).slice(0, 50)}`,
      );
    }
    const text = '[Request]\r\nCommand=SetUser\r\nUserName=ada\r\nNew=yes';
    assert.throws(() => decodeSetUserRequest(textOf(text)), code6);
    assert.throws(() => decodeSetUserRequest(textOf(text.replace('\r\nNew=yes', ''))), code6);
  });

  it('are refused as an answer when a record is none', () => {
    const response = responseOf('[Response]\r\nCommand=ListUsers\r\nCode=0\r\nCount=1\r\nMore=no\r\nSource=file');
    const good = { name: 'ada', role: 'user', root: '', isDisabled: false, logins: [] };
    assert.equal(decodeListUsersResponse(response, encodeJsonData([good])).users.length, 1);
    for (const bad of [
      {},
      [null],
      [{ ...good, name: 1 }],
      [{ ...good, role: 'root' }],
      [{ ...good, quotaBytes: 'much' }],
      [{ ...good, isDisabled: undefined }],
      [{ ...good, logins: [1] }],
    ])
      assert.throws(() => decodeListUsersResponse(response, encodeJsonData(bad)), invalid);
    assert.throws(() => decodeListUsersResponse(response, new Uint8Array([0xff])), invalid);
  });
});
