import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connectedUsers } from '../../../packages/dashboard/build/model/connected-users.js';
import { RateMeter } from '../../../packages/dashboard/build/model/rate-meter.js';
import { hostOf, transferGroups } from '../../../packages/dashboard/build/model/transfer-groups.js';
import { connection } from './support.js';

describe('the transfers of a server', () => {
  it('are one for a file that several connections upload: rates add up, what is done does not', () => {
    const transfer = { direction: 'upload', name: 'a.bin', doneBytes: 600, totalBytes: 1000 } as const;
    const [group, ...others] = transferGroups([
      connection({ id: 1, user: 'ada', remoteAddress: '10.0.0.1:1', receiveRate: 40, transfer }),
      connection({ id: 2, user: 'ada', remoteAddress: '10.0.0.1:2', receiveRate: 60, transfer }),
    ]);
    assert.equal(others.length, 0);
    assert.deepEqual(
      [group!.rate, group!.doneBytes, group!.totalBytes, group!.secondsLeft, group!.connections.length],
      [100, 600, 1000, 4, 2],
    );
  });

  it('do not tell how far a download is of which each connection fetches a part', () => {
    const lane = (id: number, doneBytes: number) =>
      connection({
        id,
        sentBytes: 50,
        sendRate: 10,
        transfer: { direction: 'download', name: 'a.bin', doneBytes, totalBytes: 1000 },
      });
    const [group] = transferGroups([lane(1, 100), lane(2, 700)]);
    assert.deepEqual([group!.rate, group!.doneBytes, group!.totalBytes], [20, 100, undefined]);
    const [alone] = transferGroups([lane(1, 100)]);
    assert.deepEqual([alone!.doneBytes, alone!.totalBytes, alone!.secondsLeft], [100, 1000, 90]);
  });

  it('are apart by user, machine, direction and name', () => {
    const transfer = { direction: 'upload', name: 'a', doneBytes: 0 } as const;
    const groups = transferGroups([
      connection({ id: 1, user: 'ada', transfer }),
      connection({ id: 2, user: 'grace', transfer }),
      connection({ id: 3, user: 'ada', remoteAddress: '10.9.9.9:1', transfer }),
      connection({ id: 4, user: 'ada', transfer: { ...transfer, direction: 'download' } }),
      connection({ id: 5, user: 'ada', transfer: { ...transfer, name: 'b' } }),
      connection({ id: 6, user: 'ada' }),
    ]);
    assert.equal(groups.length, 5);
    assert.equal(new Set(groups.map(({ key }) => key)).size, 5);
  });

  it('have no time left while nothing moves', () => {
    const [group] = transferGroups([
      connection({ id: 1, transfer: { direction: 'upload', name: 'a', doneBytes: 1, totalBytes: 9 } }),
    ]);
    assert.equal(group!.secondsLeft, undefined);
  });

  it('know the machine of an address', () => {
    assert.equal(hostOf('10.0.0.1:4000'), '10.0.0.1');
    assert.equal(hostOf('[2001:db8::7]:4000'), '[2001:db8::7]');
  });
});

describe('who is connected', () => {
  it('is told by user, those without a login last', () => {
    const users = connectedUsers([
      connection({ id: 1, receiveRate: 1 }),
      connection({ id: 2, user: 'grace', receiveRate: 2, protocol: 'Upload' }),
      connection({ id: 3, user: 'ada', lastActivityAt: '2026-01-01T00:00:05.000Z' }),
      connection({ id: 4, user: 'grace', receiveRate: 3, protocol: 'Control' }),
    ]);
    assert.deepEqual(
      users.map(({ name, connections, receiveRate }) => [name, connections, receiveRate]),
      [
        ['ada', 1, 0],
        ['grace', 2, 5],
        ['', 1, 1],
      ],
    );
    assert.deepEqual(users[1]!.protocols, ['Control', 'Upload']);
  });
});

describe('the rate of a transfer', () => {
  it('is that of the last seconds', () => {
    const meter = new RateMeter();
    for (let second = 0; second <= 20; second++)
      meter.add(second * 1000, second <= 10 ? second * 100 : 1000 + (second - 10) * 900);
    assert.equal(meter.rate, 900);
  });

  it('is not known at first, and begins anew when a transfer does', () => {
    const meter = new RateMeter();
    assert.equal(meter.rate, 0);
    meter.add(0, 500);
    assert.equal(meter.rate, 0);
    meter.add(1000, 1500);
    assert.equal(meter.rate, 1000);
    meter.add(2000, 0);
    assert.equal(meter.rate, 0);
  });
});
