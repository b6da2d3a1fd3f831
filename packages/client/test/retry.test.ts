import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ManualClock } from '@sluice/testkit';
import { Fixture, MIB, someBytes } from './fixture.js';

it('A call that is called off when it is told about a retry waits no longer', async () => {
  const clock = new ManualClock(); // stands still: a pause would never end
  const controller = new AbortController();
  const onRetry = () => controller.abort(new Error('enough'));
  await using fixture = await Fixture.make({ clock, onRetry });
  await fixture.writeRemote('a', someBytes(MIB));
  fixture.server.faults.cutAfterSentBytes = 300_000;
  const download = fixture.client.download('a', fixture.local('b'), { signal: controller.signal });
  await assert.rejects(download, /^Error: enough$/);
});
