import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { arrangeConnections, nextOrder } from '../../../packages/dashboard/build/model/connection-order.js';
import { connection } from './support.js';

const byId = { key: 'id', isReversed: false } as const;

describe('the order of connections', () => {
  const some = [
    connection({ id: 1, user: 'grace', receiveRate: 5, receivedBytes: 10 }),
    connection({ id: 2, user: 'ada', sendRate: 90, receivedBytes: 30 }),
    connection({ id: 3, receiveRate: 50, sendRate: 50, receivedBytes: 20 }),
    connection({ id: 4, user: 'ada', receivedBytes: 30 }),
  ];
  const idsBy = (key: 'id' | 'user' | 'rate' | 'received', isReversed = false): number[] =>
    arrangeConnections(some, { order: { key, isReversed }, filter: '' }).map(({ id }) => id);

  it('begins with the first in the alphabet, or with the largest', () => {
    assert.deepEqual(idsBy('user'), [3, 2, 4, 1]);
    assert.deepEqual(idsBy('rate'), [3, 2, 1, 4]);
    assert.deepEqual(idsBy('received'), [2, 4, 3, 1]);
  });

  it('keeps equal ones by their age, also the other way round', () => {
    assert.deepEqual(idsBy('user', true), [1, 2, 4, 3]);
    assert.deepEqual(idsBy('received', true), [1, 3, 2, 4]);
  });

  it('turns round with a second click on a column, and begins anew with another', () => {
    assert.deepEqual(nextOrder(byId, 'id'), { key: 'id', isReversed: true });
    assert.deepEqual(nextOrder({ key: 'id', isReversed: true }, 'id'), byId);
    assert.deepEqual(nextOrder({ key: 'id', isReversed: true }, 'rate'), { key: 'rate', isReversed: false });
  });

  it('leaves the list that it is given as it is, and loses nothing', () => {
    const records = fc.array(
      fc.record({ id: fc.nat(), receiveRate: fc.nat(), user: fc.string({ maxLength: 3 }) }).map(connection),
    );
    fc.assert(
      fc.property(records, fc.constantFrom('id', 'user', 'rate'), fc.boolean(), (list, key, isReversed) => {
        const before = [...list];
        const arranged = arrangeConnections(list, { order: { key, isReversed }, filter: '' });
        assert.deepEqual(list, before);
        assert.equal(arranged.length, list.length);
        assert.deepEqual(new Set(arranged), new Set(list));
      }),
    );
  });
});

describe('the filter of connections', () => {
  const some = [
    connection({ id: 17, user: 'Ada', remoteAddress: '198.51.100.7:1' }),
    connection({
      id: 18,
      user: 'grace',
      protocol: 'Download',
      transfer: { direction: 'download', name: 'a/Report 7.pdf', doneBytes: 1 },
    }),
  ];
  const fitting = (filter: string): number[] => arrangeConnections(some, { order: byId, filter }).map(({ id }) => id);

  it('looks for words in number, user, protocol, address and name of the transfer, whatever their case', () => {
    assert.deepEqual(fitting('17'), [17]);
    assert.deepEqual(fitting('ADA'), [17]);
    assert.deepEqual(fitting('198.51'), [17, 18]);
    assert.deepEqual(fitting('download'), [18]);
    assert.deepEqual(fitting('report'), [18]);
  });

  it('wants all words, in any order', () => {
    assert.deepEqual(fitting('pdf grace'), [18]);
    assert.deepEqual(fitting('pdf ada'), []);
  });

  it('leaves all with no word in it', () => {
    assert.deepEqual(fitting('   '), [17, 18]);
  });
});
