import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { ManualClock, type RawPeer } from '@sluice/testkit';
import {
  type ClientChanges,
  type ClientRecord,
  decodeJsonData,
  encodeKickRequest,
  encodeListClientsRequest,
  encodePacket,
  encodeWatchClientsRequest,
  ProtocolFlag,
} from '@sluice/wire';
import { answer, ask, eventually, login, request, TestServer } from '../support/test-server.js';

const { Control, Download, Throughput, Upload } = ProtocolFlag;

async function items(peer: RawPeer): Promise<string[][]> {
  const [command, code, ...lines] = await ask(peer, 'GetClients');
  assert.deepEqual([command, code], ['Command=GetClients', 'Code=0']);
  return lines.map((line) => line.replace(/^Item=/, '').split('\t'));
}

async function list(peer: RawPeer, after = 0, limit = 1000): Promise<{ records: ClientRecord[]; text: string }> {
  await peer.send(encodePacket(encodeListClientsRequest({ after, limit })));
  const { text, data } = await peer.nextPacket();
  return { records: decodeJsonData(data) as ClientRecord[], text };
}

async function kick(peer: RawPeer, what: Parameters<typeof encodeKickRequest>[0]): Promise<string[]> {
  await peer.send(encodePacket(encodeKickRequest(what)));
  return answer(peer);
}

async function changes(peer: RawPeer): Promise<ClientChanges> {
  const { text, data } = await peer.nextPacket();
  assert.match(text, /^\[Response\]\r\nCommand=ClientChanges\r\nCode=0\r\nCount=\d+$/);
  return decodeJsonData(data) as ClientChanges;
}

/** Bytes that wait for the connections to read them. */
function controlQueue(server: TestServer): number {
  return [...server.server.listener.connections].reduce((sum, { queuedBytes }) => sum + queuedBytes, 0);
}

describe('GetClients (specification 5)', () => {
  it('needs a login', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(Uint8Array.of(Control));
    assert.deepEqual(await ask(peer, 'GetClients'), ['Command=GetClients', 'Code=8', 'Message=']);
  });

  it('lists each connection that has a protocol, the asking one too, in the order of acceptance, with six fields', async () => {
    await using server = await TestServer.start();
    using silent = await server.connect();
    using late = await server.connect();
    using throughput = await server.connect();
    await throughput.send(Uint8Array.of(Throughput));
    await ask(throughput, 'Active');
    using control = await server.login(Control);
    await late.send(Uint8Array.of(Upload));
    await ask(late, 'Active');
    const rows = await items(control);
    assert.deepEqual(
      rows.map(([, , protocol, user]) => [protocol, user]),
      [
        ['Upload', ''],
        ['Throughput', ''],
        ['Control', 'admin'],
      ],
    );
    for (const row of rows) {
      assert.equal(row.length, 6);
      assert.equal(row[0], `127.0.0.1:${server.port}`);
      assert.match(row[1]!, /^127\.0\.0\.1:\d+$/);
      for (const time of row.slice(4)) {
        assert.match(time, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
        assert.ok(Math.abs(Date.parse(`${time.replace(' ', 'T')}Z`) - Date.now()) < 60_000, time);
      }
    }
    assert.ok(silent);
  });

  it('lists no connection any more that has ended, and none twice (D4)', async () => {
    await using server = await TestServer.start();
    using control = await server.login(Control);
    for (let i = 0; i < 20; i++) {
      const peer = await server.connect();
      await peer.send(Uint8Array.of(Throughput));
      await ask(peer, 'Active');
      peer[Symbol.dispose]();
    }
    await eventually('one is left', async () => (await items(control)).length === 1);
  });

  it('lists 2,000 connections in one packet, made in one go (D45)', async () => {
    await using server = await TestServer.start();
    using control = await server.login(Control);
    const peers = await Promise.all(
      Array.from({ length: 2000 }, async () => {
        const peer = await server.connect();
        await peer.send(Uint8Array.of(Throughput), request('Active'));
        await answer(peer);
        return peer;
      }),
    );
    assert.equal((await items(control)).length, 2001);
    const { records, text } = await list(control);
    assert.equal(records.length, 1000);
    assert.match(text, /More=yes$/);
    for (const peer of peers) peer[Symbol.dispose]();
  });
});

describe('ListClients (docs/protocol.md, section 17)', () => {
  it('tells addresses, user, frames and bytes each way, and the transfer that is going on', async () => {
    await using server = await TestServer.start();
    using control = await server.login(Control);
    using upload = await server.login(Upload);
    await ask(upload, 'CreateDir', [
      ['ParentDir', ''],
      ['DirName', 'a'],
    ]);
    await ask(upload, 'Upload', [
      ['DirName', 'a\\'],
      ['FileName', 'f'],
    ]);
    await upload.send(request('Data', [], new Uint8Array(1000)));
    await ask(upload, 'Active');
    const { records, text } = await list(control);
    assert.match(text, /^\[Response\]\r\nCommand=ListClients\r\nCode=0\r\nCount=2\r\nMore=no$/);
    const [own, other] = records as [ClientRecord, ClientRecord];
    assert.equal(own.protocol, 'Control');
    assert.equal(other.user, 'admin');
    assert.equal(other.receivedFrames, 5);
    assert.equal(other.sentFrames, 4);
    assert.ok(other.receivedBytes > 1000 && other.sentBytes > 0);
    assert.equal(other.isEncrypted, false);
    assert.deepEqual(other.transfer, { direction: 'upload', name: 'a/f', doneBytes: 1000 });
  });

  it('tells how far a download is, and of how much', async () => {
    await using server = await TestServer.start();
    await writeFile(server.path('big'), new Uint8Array(64 << 20));
    using control = await server.login(Control);
    using download = await server.login(Download);
    await download.send(
      request('Download', [
        ['DirName', ''],
        ['FileName', 'big'],
        ['FileSize', 0],
        ['PacketSize', 65536],
      ]),
    );
    download.pause();
    await eventually('it has begun', async () => (await list(control)).records[1]?.transfer !== undefined);
    const transfer = (await list(control)).records[1]!.transfer!;
    assert.equal(transfer.direction, 'download');
    assert.equal(transfer.totalBytes, 64 << 20);
    assert.ok(transfer.doneBytes > 0 && transfer.doneBytes < 64 << 20);
  });

  it('measures rates over the last seconds', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock });
    using control = await server.login(Control);
    using upload = await server.login(Upload);
    await ask(upload, 'Upload', [
      ['DirName', ''],
      ['FileName', 'f'],
    ]);
    clock.advance(10_000);
    for (let second = 0; second < 8; second++) {
      await upload.send(request('Data', [], new Uint8Array(100_000)));
      await ask(upload, 'Active');
      clock.advance(1000);
    }
    const { receiveRate } = (await list(control)).records[1]!;
    assert.ok(receiveRate > 95_000 && receiveRate < 105_000, `${receiveRate} B/s`);
    clock.advance(30_000);
    assert.equal((await list(control)).records[1]!.receiveRate, 0);
  });

  it('comes in pages', async () => {
    await using server = await TestServer.start();
    using control = await server.login(Control);
    using one = await server.login(Upload);
    using two = await server.login(Upload);
    const first = await list(control, 0, 2);
    assert.match(first.text, /More=yes$/);
    const second = await list(control, first.records.at(-1)!.id, 2);
    assert.match(second.text, /More=no$/);
    assert.equal(first.records.length + second.records.length, 3);
    assert.ok(one && two);
  });
});

describe('WatchClients (docs/protocol.md, section 17)', () => {
  it('sends all at first, then what is new, different or gone', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock });
    using control = await server.login(Control);
    await control.send(encodePacket(encodeWatchClientsRequest(500)));
    assert.deepEqual(await answer(control), ['Command=WatchClients', 'Code=0']);
    const first = await changes(control);
    assert.deepEqual([first.changed.length, first.removed, first.total, first.more], [1, [], 1, false]);

    const upload = await server.login(Upload);
    clock.advance(500);
    const second = await changes(control);
    const added = second.changed.find(({ protocol }) => protocol === 'Upload');
    assert.ok(added);
    assert.equal(second.total, 2);

    upload[Symbol.dispose]();
    await eventually('it is gone', () => server.server.listener.connections.size === 1);
    clock.advance(500);
    assert.deepEqual((await changes(control)).removed, [added.id]);
  });

  it('ends with an interval of 0, and refuses others below 200 ms with code 6', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock });
    using control = await server.login(Control);
    const before = clock.pendingTimers;
    await control.send(encodePacket(encodeWatchClientsRequest(500)));
    await answer(control);
    await changes(control);
    assert.equal(clock.pendingTimers, before + 1);
    assert.equal((await ask(control, 'WatchClients', [['IntervalMs', 199]]))[1], 'Code=6');
    assert.equal((await ask(control, 'WatchClients', [['IntervalMs', 0]]))[1], 'Code=0');
    assert.equal(clock.pendingTimers, before);
  });

  it('stops when the connection ends', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock });
    const before = clock.pendingTimers;
    const control = await server.login(Control);
    await control.send(encodePacket(encodeWatchClientsRequest(500)));
    await answer(control);
    control[Symbol.dispose]();
    await eventually('nothing is left', () => server.server.listener.connections.size === 0);
    assert.equal(clock.pendingTimers, before);
  });

  it('survives transfers with names as long and as hard to tell as they can be', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock, idleTimeoutMs: 0 });
    using control = await server.login(Control);
    await control.send(encodePacket(encodeWatchClientsRequest(500)));
    await answer(control);
    await changes(control);
    using maker = await server.login(Upload);
    const component = '\x01'.repeat(255);
    const deep = Array<string>(127).fill(component).join('/');
    assert.equal(
      (
        await ask(maker, 'CreateDir', [
          ['ParentDir', ''],
          ['DirName', deep],
        ])
      )[1],
      'Code=0',
    );
    const uploads = await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const upload = await server.login(Upload);
        const target: [string, string][] = [
          ['DirName', deep],
          ['FileName', `${'\x01'.repeat(250)}${index}`],
        ];
        assert.equal((await ask(upload, 'Upload', target))[1], 'Code=0');
        return upload;
      }),
    );
    clock.advance(500);
    const { changed } = await changes(control);
    const names = changed.flatMap(({ transfer }) => transfer?.name ?? []);
    assert.equal(names.length, 60);
    for (const name of names) assert.match(name, /^…[\x01/]+\d+$/);
    assert.equal((await list(control)).records.length, 62);
    for (const upload of uploads) upload[Symbol.dispose]();
    // deeper than the file system's own paths can name
    execFileSync('rm', ['-r', server.path(component)]);
  });

  it('has each connection take its turn when one round cannot hold them all', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock, idleTimeoutMs: 0, slowStart: false });
    using maker = await server.login(Upload);
    const deep = Array<string>(4).fill('\x01'.repeat(255)).join('/');
    assert.equal(
      (
        await ask(maker, 'CreateDir', [
          ['ParentDir', ''],
          ['DirName', deep],
        ])
      )[1],
      'Code=0',
    );
    const uploads = await Promise.all(
      Array.from({ length: 1000 }, async (_, index) => {
        const upload = await server.login(Upload);
        await ask(upload, 'Upload', [
          ['DirName', deep],
          ['FileName', `${index}`],
        ]);
        return upload;
      }),
    );
    using control = await server.login(Control);
    await control.send(encodePacket(encodeWatchClientsRequest(200)));
    await answer(control);
    const told = new Set<number>();
    const round = async (): Promise<void> => {
      for (let more = true; more; ) {
        const part = await changes(control);
        for (const { id } of part.changed) told.add(id);
        assert.equal(part.total, 1002);
        more = part.more;
      }
    };
    await round();
    assert.ok(told.size > 400 && told.size < 1002, `${told.size} told at first`);
    for (let rounds = 0; told.size < 1002; rounds++) {
      assert.ok(rounds < 3, `${told.size} told`);
      await eventually('it has taken the last round', () => controlQueue(server) === 0);
      await Promise.all(uploads.slice(0, 500).map((upload) => ask(upload, 'Active')));
      clock.advance(200);
      await round();
    }
    for (const upload of uploads) upload[Symbol.dispose]();
  });

  it('is for eight connections of a user at once: the next gets code 12, until one has ended', async () => {
    await using server = await TestServer.start();
    const watch = async (peer: RawPeer, interval = 60_000): Promise<string> =>
      (await ask(peer, 'WatchClients', [['IntervalMs', interval]]))[1]!;
    const peers = await Promise.all(Array.from({ length: 9 }, () => server.login(Control)));
    for (const peer of peers.slice(0, 8)) {
      assert.equal(await watch(peer), 'Code=0');
      await changes(peer);
      assert.equal(await watch(peer), 'Code=0', 'the same connection may begin anew');
      await changes(peer);
    }
    const last = peers[8]!;
    assert.equal(await watch(last), 'Code=12');
    assert.equal(await watch(peers[0]!, 0), 'Code=0');
    assert.equal(await watch(last), 'Code=0');
    await changes(last);
    assert.equal(await watch(peers[0]!), 'Code=12');
    last[Symbol.dispose]();
    await eventually('its place is free', async () => (await watch(peers[0]!)) === 'Code=0');
    for (const peer of peers) peer[Symbol.dispose]();
  });

  it('is rarer than asked for among very many connections', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock, idleTimeoutMs: 0, maxConnections: 3000, slowStart: false });
    const peers = await Promise.all(Array.from({ length: 2500 }, () => server.login(Upload)));
    using control = await server.login(Control);
    await control.send(encodePacket(encodeWatchClientsRequest(200)));
    await answer(control);
    for (let more = true; more; ) more = (await changes(control)).more;
    await eventually('it has taken the last round', () => controlQueue(server) === 0);
    await ask(peers[0]!, 'Active');
    clock.advance(200);
    await ask(control, 'Active');
    clock.advance(200);
    assert.ok((await changes(control)).changed.length > 0);
    for (const peer of peers) peer[Symbol.dispose]();
  });

  it('leaves rounds out for a reader that does not read, and never has more than one waiting', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock, idleTimeoutMs: 0 });
    const peers = await Promise.all(Array.from({ length: 300 }, () => server.login(Upload)));
    using control = await server.login(Control);
    control.pause();
    await control.send(encodePacket(encodeWatchClientsRequest(200)));
    let most = 0;
    for (let round = 0; round < 400; round++) {
      await Promise.all(peers.slice(0, 20).map((peer) => ask(peer, 'Active')));
      clock.advance(200);
      for (const connection of server.server.listener.connections)
        if (connection.handler && connection.queuedBytes > most) most = connection.queuedBytes;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(most < 512 << 10, `${most} bytes waited`);
    control.resume();
    let known = 0;
    await answer(control);
    for (let total = 0; known < 301 || total < 301; ) {
      const round = await changes(control);
      known += round.changed.length;
      total = round.total;
    }
    for (const peer of peers) peer[Symbol.dispose]();
  });
});

describe('Kick (docs/protocol.md, section 17)', () => {
  const cases: readonly [title: string, what: Parameters<typeof encodeKickRequest>[0], count: number][] = [
    ['a user', { user: 'admin' }, 2],
    ['another user', { user: 'Admin' }, 0],
    ['an address', { address: '127.0.0.1' }, 2],
    ['a network', { address: '127.0.0.0/8' }, 2],
    ['another network', { address: '10.0.0.0/8' }, 0],
    ['all that have been idle for so long', { idleMs: 5000 }, 1],
    ['all for which two things hold', { idleMs: 0, user: 'nobody' }, 0],
  ];
  for (const [title, what, count] of cases) {
    it(`ends the connections of ${title}, never the one that asks, and leaves an audit line`, async () => {
      const clock = new ManualClock();
      await using server = await TestServer.start({ clock });
      using one = await server.login(Upload);
      clock.advance(5000);
      using two = await server.login(Download);
      using control = await server.login(Control);
      assert.deepEqual(await kick(control, { ...what, isDryRun: true }), ['Command=Kick', 'Code=0', `Count=${count}`]);
      assert.equal(server.events.filter(({ event }) => event === 'audit').length, 0);
      assert.equal(server.server.listener.connections.size, 3);
      assert.deepEqual(await kick(control, what), ['Command=Kick', 'Code=0', `Count=${count}`]);
      if (count > 0) await one.waitForClose();
      if (count > 1) await two.waitForClose();
      assert.equal((await items(control)).length, 3 - count);
      const [line] = server.events.filter(({ event }) => event === 'audit');
      assert.equal(line?.fields['user'], 'admin');
      assert.equal(line?.fields['action'], 'kick');
      assert.equal(line?.fields['count'], count);
      if (count > 0) assert.equal(server.server.listener.counters.closed.get('kicked'), count);
    });
  }

  it('ends one by its id, also the one that asks', async () => {
    await using server = await TestServer.start();
    using other = await server.login(Upload);
    using control = await server.login(Control);
    const { records } = await list(control);
    assert.equal((await kick(control, { id: records[0]!.id }))[2], 'Count=1');
    await other.waitForClose();
    await control.send(encodePacket(encodeKickRequest({ id: records[1]!.id })));
    await control.waitForClose();
  });

  it('without a word of which is refused with code 6, and so is what is no address', async () => {
    await using server = await TestServer.start();
    using control = await server.login(Control);
    assert.equal((await ask(control, 'Kick'))[1], 'Code=6');
    for (const address of ['', 'localhost', '10.0.0.0/33', '10.0.0.0/', '::/129', '10.0.0.0/8/8', '1.2.3'])
      assert.equal((await kick(control, { address }))[1], 'Code=6', address);
    assert.equal((await ask(control, 'Kick', [['Id', 0]]))[1], 'Code=6');
  });
});

describe('what an operator does to the server (docs/protocol.md, section 17)', () => {
  it('reads statistics', async () => {
    await using server = await TestServer.start();
    using control = await server.login(Control);
    await control.send(request('Stats'));
    const { data } = await control.nextPacket();
    const stats = decodeJsonData(data) as { connections: { now: number; accepted: number }; isReadOnly: boolean };
    assert.equal(stats.connections.now, 1);
    assert.equal(stats.connections.accepted, 1);
    assert.equal(stats.isReadOnly, false);
  });

  it('makes the server read-only: changes are refused with code 13, reading goes on, open uploads end', async () => {
    await using server = await TestServer.start();
    using control = await server.login(Control);
    using upload = await server.login(Upload);
    const begin = (name: string) =>
      ask(upload, 'Upload', [
        ['DirName', ''],
        ['FileName', name],
      ]);
    assert.equal((await begin('a'))[1], 'Code=0');
    assert.deepEqual(await ask(control, 'ReadOnly', [['Value', 'on']]), ['Command=ReadOnly', 'Code=0', 'Value=on']);
    await upload.send(request('Data', [], Uint8Array.of(1)));
    assert.equal((await ask(upload, 'Eof'))[1], 'Code=0');
    const directory: [string, string][] = [
      ['ParentDir', ''],
      ['DirName', 'd'],
    ];
    for (const refused of [
      await begin('b'),
      await ask(upload, 'CreateDir', directory),
      await ask(upload, 'DeleteDir', directory),
      await ask(upload, 'DeleteFile', [
        ['DirName', ''],
        ['Item', 'a'],
      ]),
    ])
      assert.equal(refused[1], 'Code=13');
    assert.deepEqual((await ask(upload, 'FileList', [['DirName', '']])).slice(1), ['Code=0', 'Item=a\u00011']);
    assert.equal((await ask(control, 'ReadOnly'))[2], 'Value=on');
    assert.equal((await ask(control, 'ReadOnly', [['Value', 'maybe']]))[1], 'Code=6');
    assert.equal((await ask(control, 'ReadOnly', [['Value', 'off']]))[2], 'Value=off');
    assert.equal((await begin('b'))[1], 'Code=0');
  });

  it('changes the log level', async () => {
    await using server = await TestServer.start();
    using control = await server.login(Control);
    assert.equal((await ask(control, 'LogLevel'))[2], 'Value=debug');
    assert.equal((await ask(control, 'LogLevel', [['Value', 'warn']]))[2], 'Value=warn');
    assert.equal((await ask(control, 'LogLevel', [['Value', 'loud']]))[1], 'Code=6');
  });

  it('drains: answers, then ends as if a signal had come', async () => {
    const asked: (number | undefined)[] = [];
    await using server = await TestServer.start({ onDrainRequested: (graceMs) => asked.push(graceMs) });
    using control = await server.login(Control);
    assert.equal((await ask(control, 'Drain', [['GraceMs', -1]]))[1], 'Code=6');
    assert.equal((await ask(control, 'Drain', [['GraceMs', 1500]]))[1], 'Code=0');
    assert.equal((await ask(control, 'Drain'))[1], 'Code=0');
    assert.deepEqual(asked, [1500, undefined]);
  });

  it('drains by itself where nobody else does it', async () => {
    await using server = await TestServer.start();
    using control = await server.login(Control);
    await control.send(request('Drain'));
    assert.equal((await answer(control))[1], 'Code=0');
    await control.waitForClose();
    await assert.rejects(server.connect());
  });

  it('leaves an audit line for each, and none for a question', async () => {
    await using server = await TestServer.start({ onDrainRequested: () => {} });
    using control = await server.login(Control);
    await ask(control, 'ReadOnly');
    await ask(control, 'LogLevel');
    await ask(control, 'ReadOnly', [['Value', 'off']]);
    await ask(control, 'LogLevel', [['Value', 'debug']]);
    await ask(control, 'Drain');
    await control.send(request('Reload'));
    await control.nextPacket();
    assert.deepEqual(
      server.events.filter(({ event }) => event === 'audit').map(({ fields }) => fields['action']),
      ['read-only', 'log-level', 'drain', 'reload'],
    );
  });

  it('is told of the extensions of Control when it asks for them', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(Uint8Array.of(Control), login([['Features', '']]));
    assert.equal((await answer(peer))[2], 'Features=Clients,ServerControl,Explain,Users,Scram');
  });
});
