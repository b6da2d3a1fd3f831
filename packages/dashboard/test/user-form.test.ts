import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  changeOf,
  formOf,
  parseQuota,
  problemsOf,
  quotaText,
  randomPassword,
  stateOf,
} from '../../../packages/dashboard/build/model/user-form.js';

const ADA = {
  name: 'ada',
  role: 'user',
  root: 'home/ada',
  quotaBytes: 10 * 2 ** 30,
  isDisabled: false,
  expires: '2027-01-31T12:00:00Z',
  logins: ['scram'],
} as const;

describe('the fields in which a user is changed', () => {
  it('say only what is different', () => {
    const form = formOf(ADA);
    assert.deepEqual(changeOf(form, ADA), { name: 'ada' });
    assert.deepEqual(changeOf({ ...form, role: 'admin', quota: '', expires: '' }, ADA), {
      name: 'ada',
      role: 'admin',
      quotaBytes: null,
      expires: null,
    });
    assert.deepEqual(changeOf({ ...form, root: '', quota: '1.5 GiB' }, ADA), {
      name: 'ada',
      root: '',
      quotaBytes: 1.5 * 2 ** 30,
    });
  });

  it('make a new user with a password', () => {
    const form = { ...formOf(undefined), name: 'new', password: 'secret' };
    assert.deepEqual(problemsOf(form, undefined, new Set(['ada'])), {});
    assert.deepEqual(changeOf(form, undefined), { name: 'new', isNew: true, role: 'user', password: 'secret' });
  });

  it('tell what is wrong with them', () => {
    const taken = new Set(['ada']);
    const problems = problemsOf({ ...formOf(undefined), name: 'ada', quota: 'much' }, undefined, taken);
    assert.deepEqual(Object.keys(problems).sort(), ['name', 'password', 'quota']);
    for (const name of ['', 'x'.repeat(65), 'a\tb'])
      assert.ok(problemsOf({ ...formOf(undefined), name, password: 'x' }, undefined, taken).name, name);
    assert.deepEqual(problemsOf(formOf(ADA), ADA, taken), {});
  });

  it('give a quota back as it was', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        assert.equal(parseQuota(quotaText(bytes)), bytes);
      }),
    );
    for (const text of ['', '-1', '10X', '1e9', '9999999P']) assert.equal(parseQuota(text), undefined, text);
    assert.equal(quotaText(10 * 2 ** 30), '10G');
  });

  it('make passwords of 20 characters that are not taken for one another', () => {
    const passwords = Array.from({ length: 200 }, randomPassword);
    for (const password of passwords) assert.match(password, /^[abcdefghjkmnpqrstuvwxyz23456789]{20}$/);
    assert.equal(new Set(passwords).size, 200);
  });

  it('tell whether a user can log in', () => {
    const nowMs = Date.parse('2026-06-01');
    assert.equal(stateOf(ADA, nowMs), 'active');
    assert.equal(stateOf(ADA, Date.parse('2027-02-01')), 'expired');
    assert.equal(stateOf({ ...ADA, isDisabled: true }, nowMs), 'disabled');
  });
});
