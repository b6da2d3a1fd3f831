import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { availableMemory, planMemory } from '@sluice/core';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe('the plan for the memory of a server', () => {
  it('adds up to the limit, whatever that is', () => {
    for (const limitBytes of [128 * MIB, 256 * MIB, GIB, 64 * GIB]) {
      const plan = planMemory({ limitBytes, connections: 1e9, hasTls: false, isGiven: false });
      const { receiveBytes, sendBytes, workBytes, logBytes, spareBytes, connections, connectionBytes } = plan;
      const sum = receiveBytes + sendBytes + workBytes + logBytes + spareBytes + connections * connectionBytes;
      assert.ok(sum <= limitBytes && sum > limitBytes - connectionBytes, `${sum} of ${limitBytes}`);
    }
  });

  it('lowers a number of connections that nobody has asked for', () => {
    const plan = planMemory({ limitBytes: 256 * MIB, connections: 10_000, hasTls: false, isGiven: false });
    assert.equal(plan.connections, 3623);
    assert.equal(planMemory({ ...plan, connections: 100, hasTls: true, isGiven: true }).connections, 100);
  });

  it('refuses a number of connections that was given and does not fit, with the sum', () => {
    assert.throws(() => planMemory({ limitBytes: 256 * MIB, connections: 10_000, hasTls: false, isGiven: true }), {
      code: 'ERR_OPTION_RANGE',
      message:
        'the memory limit of 256 MiB does not hold 10000 connections x 26 KiB + 32 MiB for receiving + 32 MiB for sending + ' +
        '32 MiB for requests + 4 MiB for the log + 64 MiB to spare = 418 MiB',
    });
  });

  it('refuses a limit that holds nothing', () => {
    assert.throws(() => planMemory({ limitBytes: 64 * MIB, connections: 1, hasTls: false, isGiven: false }), {
      code: 'ERR_OPTION_RANGE',
    });
  });
});

describe('the memory that a process may have', () => {
  const filesOf = (files: Readonly<Record<string, string>>) => (path: string) => files[path];

  it('is that of the machine where no control group says less', () => {
    assert.equal(availableMemory(filesOf({}), 8 * GIB), 8 * GIB);
    const unlimited = { '/proc/self/cgroup': '0::/a\n', '/sys/fs/cgroup/a/memory.max': 'max\n' };
    assert.equal(availableMemory(filesOf(unlimited), 8 * GIB), 8 * GIB);
  });

  it('is that of the control group of version 2, or of one above it', () => {
    const files = {
      '/proc/self/cgroup': '0::/system.slice/sluice.service\n',
      '/sys/fs/cgroup/system.slice/sluice.service/memory.max': 'max\n',
      '/sys/fs/cgroup/system.slice/memory.max': `${GIB}\n`,
    };
    assert.equal(availableMemory(filesOf(files), 8 * GIB), GIB);
  });

  it('is that of the control group of version 1', () => {
    const files = {
      '/proc/self/cgroup': '12:cpu,cpuacct:/x\n5:memory:/docker/abc\n0::/\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '536870912\n',
    };
    assert.equal(availableMemory(filesOf(files), 8 * GIB), 512 * MIB);
  });
});
