import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServerLog, type SluiceServerOptions, textLine } from '@sluice/server';
import { ManualClock, type RawPeer, splitEvery } from '@sluice/testkit';
import { encodePacket, type Field, MAX_SENT_PACKET_LENGTH, ProtocolFlag } from '@sluice/wire';
import { ADMIN_DIGEST, answer, ask, eventually, login, request, TestServer } from './support/test-server.js';

const { Upload, Download, RemoteStream, Control, Throughput } = ProtocolFlag;
const text = (lines: string): Uint8Array => encodePacket(Buffer.from(lines));

describe('choosing a protocol (specification 1)', () => {
  for (const flag of [0, 1, 6, 7, 10, 22, 65, 255]) {
    it(`closes a connection that begins with byte ${flag} without a word, and logs it`, async () => {
      await using server = await TestServer.start();
      using peer = await server.connect();
      await peer.send(Uint8Array.of(flag), request('Active'));
      assert.equal((await peer.waitForClose()).length, 0);
      assert.ok(server.events.some(({ event, fields }) => event === 'no such protocol' && fields['flag'] === flag));
    });
  }

  it('takes the rest of the segment that brings the flag as packets', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(Uint8Array.of(Upload), request('Active'));
    assert.deepEqual(await answer(peer), ['Command=Active', 'Code=0']);
  });

  it('closes a connection that sends nothing, 6 s after it was accepted (D3)', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock });
    using peer = await server.connect();
    await eventually('accepted', () => server.server.listener.connections.size === 1);
    clock.advance(5_900);
    assert.equal(peer.isClosed, false);
    clock.advance(1_100);
    assert.equal((await peer.waitForClose()).length, 0);
  });

  it('closes a connection after the idle timeout, and not before (D1, D2)', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock, idleTimeoutMs: 300_000 });
    clock.advance(10_000_000);
    using peer = await server.login(Upload);
    clock.advance(200_000);
    assert.deepEqual(await ask(peer, 'Active'), ['Command=Active', 'Code=0']);
    clock.advance(299_000);
    assert.deepEqual(await ask(peer, 'Active'), ['Command=Active', 'Code=0']);
    clock.advance(302_000);
    await peer.waitForClose();
  });
});

describe('the deadline of the login', () => {
  const late = async (flag: number, options: Partial<SluiceServerOptions> = {}) => {
    const clock = new ManualClock();
    const server = await TestServer.start({ clock, ...options });
    const peer = await server.connect();
    await peer.send(Uint8Array.of(flag), request('Active'));
    await answer(peer);
    clock.advance(29_000);
    assert.deepEqual(await ask(peer, 'Active'), ['Command=Active', 'Code=0']);
    clock.advance(2_000);
    return { server, peer };
  };

  for (const [name, flag] of Object.entries({ Upload, Download, RemoteStream, Control })) {
    it(`ends a connection of ${name} 30 s after its admission, although Active is answered, and says why`, async () => {
      const { server, peer } = await late(flag);
      await using _ = server;
      await peer.waitForClose();
      await eventually('it is said why', () =>
        server.events.some(({ fields }) => fields['reason'] === 'login-timeout'),
      );
    });
  }

  for (const [name, flag, options] of [
    ['Throughput', Throughput, {}],
    ['RemoteStream that is opened to anybody', RemoteStream, { openProtocols: ['remote-stream'] }],
    ['Upload with the deadline switched off', Upload, { loginTimeoutMs: 0 }],
  ] satisfies [string, number, Partial<SluiceServerOptions>][]) {
    it(`is not there on ${name}`, async () => {
      const { server, peer } = await late(flag, options);
      await using _ = server;
      assert.deepEqual(await ask(peer, 'Active'), ['Command=Active', 'Code=0']);
      peer.destroy();
    });
  }

  it('does not count the time for which the server makes a login wait', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock });
    using peer = await server.connect();
    await peer.send(Uint8Array.of(Upload));
    const wrong: Field[] = [
      ['UserName', 'admin'],
      ['Password', '0'.repeat(32)],
    ];
    for (let i = 0; i < 2; i++) assert.equal((await ask(peer, 'Login', wrong))[1], 'Code=7');
    clock.advance(29_000);
    await peer.send(login());
    await eventually('it is worked on', () => [...server.server.listener.connections][0]?.handler.isWorking === true);
    clock.advance(100_000);
    assert.match((await peer.nextPacket()).text, /Code=0/);
    clock.advance(100_000);
    assert.deepEqual(await ask(peer, 'Active'), ['Command=Active', 'Code=0']);
  });
});

describe('packets (specification 2)', () => {
  it('answers a packet that arrives one byte at a time once', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    for (const byte of splitEvery(Buffer.concat([Uint8Array.of(Upload), request('Active')]), 1)) await peer.send(byte);
    assert.deepEqual(await answer(peer), ['Command=Active', 'Code=0']);
    assert.deepEqual(await ask(peer, 'aCtIvE'), ['Command=aCtIvE', 'Code=0']);
  });

  it('answers three requests in one segment with three packets (D15)', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(Uint8Array.of(Upload), request('Active'), request('Active'), request('Active'));
    for (let i = 0; i < 3; i++) assert.deepEqual(await answer(peer), ['Command=Active', 'Code=0']);
  });

  it('answers requests in their order, although some take longer', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    const dir = request('Dir', [['ParentDir', '']]);
    await peer.send(
      Uint8Array.of(Upload),
      login(),
      dir,
      request('Active'),
      dir,
      request('Nonsense'),
      request('Active'),
    );
    const commands: (string | undefined)[] = [];
    for (let i = 0; i < 6; i++) commands.push((await answer(peer))[0]);
    assert.deepEqual(
      commands,
      ['Login', 'Dir', 'Active', 'Dir', 'Nonsense', 'Active'].map((name) => `Command=${name}`),
    );
  });

  const closing: [string, number[]][] = [
    ['packet length 0', [0, 0, 0, 0]],
    ['packet length 3', [3, 0, 0, 0]],
    ['a negative packet length', [0xfb, 0xff, 0xff, 0xff]],
    ['packet length 10,485,761', [0x01, 0x00, 0xa0, 0x00]],
    ['command length -1', [8, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]],
    ['a command length beyond the packet (D18)', [8, 0, 0, 0, 5, 0, 0, 0, 65, 65, 65, 65]],
  ];
  for (const [title, bytes] of closing) {
    it(`closes on ${title} as soon as it can be seen, and answers what was in front (D19)`, async () => {
      await using server = await TestServer.start();
      using peer = await server.connect();
      await peer.send(Uint8Array.of(Upload), request('Active'), Uint8Array.from(bytes));
      assert.equal((await peer.waitForClose()).length, 42);
    });
  }

  it('accepts declared lengths up to 10,485,760 and takes no memory for them', async () => {
    await using server = await TestServer.start();
    const peers: RawPeer[] = [];
    for (let i = 0; i < 20; i++) {
      const peer = await server.connect();
      await peer.send(Uint8Array.of(Upload, 0x00, 0x00, 0xa0, 0x00));
      peers.push(peer);
    }
    await eventually('bytes received', () =>
      [...server.server.listener.connections].every((connection) => connection.receivedBytes === 5),
    );
    assert.equal(server.server.listener.connections.size, 20);
    for (const peer of peers) peer.destroy();
  });

  it('accepts the largest packet, with a next one behind it (D14)', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    const active = '[Request]\r\nCommand=Active';
    const data = Buffer.alloc(MAX_SENT_PACKET_LENGTH - 4 - active.length);
    await peer.send(Uint8Array.of(Upload), encodePacket(Buffer.from(active), data), request('Active'));
    assert.deepEqual(await answer(peer), ['Command=Active', 'Code=0']);
    assert.deepEqual(await answer(peer), ['Command=Active', 'Code=0']);
  });
});

describe('command text (specification 3.2, 16.2)', () => {
  const rows: [string, string[] | 'closed'][] = [
    ['[Request]\r\nCommand=Active', ['Command=Active', 'Code=0']],
    ['[Request]\r\nCommand=Active\r\n\r\n', ['Command=Active', 'Code=0']],
    ['Command=Active\r\nA=1', ['Command=Active', 'Code=0']],
    ['Command=Active', 'closed'],
    ['Command=Active\r\n', 'closed'],
    ['', 'closed'],
    ['[Request]\r\nCommand= Active', ['Command= Active', 'Code=8', 'Message=']],
    ['[Request]\r\nCOMMAND=aCtIvE', ['Command=aCtIvE', 'Code=0']],
    ['[Request]\r\nCommand=Active\r\nA=1=2', ['Command=Active', 'Code=0']],
    ['[Request]\r\nCommand=Foo\r\nCommand=Active', ['Command=Active', 'Code=0']],
    ['[Request]\r\nA=1', ['Command=', 'Code=5', 'Message=']],
  ];
  for (const [given, expected] of rows) {
    it(`${JSON.stringify(given)} is ${expected === 'closed' ? 'malformed and closes' : `answered with ${expected}`}`, async () => {
      await using server = await TestServer.start();
      using peer = await server.connect();
      await peer.send(Uint8Array.of(Upload), text(given));
      if (expected === 'closed') {
        const received = (await peer.waitForClose()).toString();
        assert.match(received, /Command=\r\nCode=3\r\nMessage=$/);
      } else assert.deepEqual(await answer(peer), expected);
    });
  }

  it('never runs the previous command again (D20)', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    assert.deepEqual(await ask(peer, 'Active'), ['Command=Active', 'Code=0']);
    await peer.send(text('[Request]\r\nA=1'));
    assert.deepEqual(await answer(peer), ['Command=', 'Code=5', 'Message=']);
  });

  it('does not ignore stray bytes in a command name (D23)', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    await peer.send(
      encodePacket(Buffer.concat([Buffer.from('[Request]\r\nCommand=Act'), Buffer.of(0xff), Buffer.from('ive')])),
    );
    assert.deepEqual(await answer(peer), ['Command=Act\ufffdive', 'Code=1', 'Message=']);
  });
});

for (const [name, flag] of [
  ['Upload', Upload],
  ['Download', Download],
] as const) {
  describe(`login on ${name} (specification 4.2)`, () => {
    it('accepts the digest in capitals or not, and answers exactly as the original', async () => {
      await using server = await TestServer.start();
      for (const digest of [ADMIN_DIGEST, ADMIN_DIGEST.toUpperCase()]) {
        using peer = await server.connect();
        await peer.send(
          Uint8Array.of(flag),
          request('Login', [
            ['UserName', 'admin'],
            ['Password', digest],
          ]),
        );
        assert.deepEqual(await answer(peer), ['Command=Login', 'Code=0']);
      }
    });

    it('names its extensions to a client that asks, and to no other', async () => {
      await using server = await TestServer.start();
      using peer = await server.connect();
      await peer.send(
        Uint8Array.of(flag),
        login([['Features', 'VerifiedResume']]),
        request('Active', [['Features', '']]),
      );
      const own =
        flag === Upload ? 'Durability,Staging,Batch,FileStatus,Trees,Rename' : 'Ranges,FileStatus,Trees,Batch';
      const features = `Features=VerifiedResume,${own},Scram`;
      assert.deepEqual(await answer(peer), ['Command=Login', 'Code=0', features]);
      assert.deepEqual(await answer(peer), ['Command=Active', 'Code=0', features]);
    });

    const refused: [string, [string, string][], number][] = [
      [
        'a wrong digest',
        [
          ['UserName', 'admin'],
          ['Password', '0'.repeat(32)],
        ],
        7,
      ],
      [
        'the password itself',
        [
          ['UserName', 'admin'],
          ['Password', 'admin'],
        ],
        7,
      ],
      [
        'another user with the same password (D24)',
        [
          ['UserName', 'root'],
          ['Password', ADMIN_DIGEST],
        ],
        7,
      ],
      [
        'another case of the name',
        [
          ['UserName', 'Admin'],
          ['Password', ADMIN_DIGEST],
        ],
        7,
      ],
      [
        'an empty name',
        [
          ['UserName', ''],
          ['Password', ADMIN_DIGEST],
        ],
        7,
      ],
      ['no name', [['Password', ADMIN_DIGEST]], 6],
      ['no password', [['UserName', 'admin']], 6],
    ];
    for (const [title, fields, code] of refused) {
      it(`refuses ${title} with code ${code} and keeps the connection`, async () => {
        await using server = await TestServer.start();
        using peer = await server.connect();
        await peer.send(Uint8Array.of(flag), request('Login', fields));
        assert.equal((await answer(peer))[1], `Code=${code}`);
        assert.deepEqual(await ask(peer, 'Active'), ['Command=Active', 'Code=0']);
        assert.deepEqual(await ask(peer, 'Dir', [['ParentDir', '']]), ['Command=Dir', 'Code=8', 'Message=']);
      });
    }

    it('stays logged in after a failed login, and may log in again', async () => {
      await using server = await TestServer.start();
      using peer = await server.login(flag);
      assert.equal(
        (
          await ask(peer, 'Login', [
            ['UserName', 'x'],
            ['Password', ADMIN_DIGEST],
          ])
        )[1],
        'Code=7',
      );
      assert.deepEqual(await ask(peer, 'Dir', [['ParentDir', '']]), ['Command=Dir', 'Code=0']);
      await peer.send(login());
      assert.deepEqual(await answer(peer), ['Command=Login', 'Code=0']);
    });

    for (const command of ['Dir', 'FileList', 'Upload', 'Data', 'Eof', 'Download', 'GetClients', 'Digest']) {
      it(`answers ${command} before login with code 8`, async () => {
        await using server = await TestServer.start();
        using peer = await server.connect();
        await peer.send(Uint8Array.of(flag));
        assert.deepEqual(await ask(peer, command, [], Buffer.from('data')), [
          `Command=${command}`,
          'Code=8',
          'Message=',
        ]);
        assert.deepEqual(await ask(peer, 'Active'), ['Command=Active', 'Code=0']);
      });
    }

    it('answers an unknown command with code 1 and keeps the connection (D27)', async () => {
      await using server = await TestServer.start();
      using peer = await server.login(flag);
      assert.deepEqual(await ask(peer, 'GetClients'), ['Command=GetClients', 'Code=1', 'Message=']);
      assert.deepEqual(await ask(peer, 'Active'), ['Command=Active', 'Code=0']);
      assert.ok(server.events.some(({ event }) => event === 'unknown command'));
    });
  });
}

describe('hostile peers', () => {
  it('keeps nothing of the data of a large packet before login, and answers it once', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    const packet = request('Data', [], Buffer.alloc(10_000_000));
    const before = process.memoryUsage().arrayBuffers;
    await peer.send(Uint8Array.of(Upload), packet.subarray(0, packet.length - 1)); // our own copy: 10 MB
    await eventually('received', () =>
      [...server.server.listener.connections].some((c) => c.receivedBytes === packet.length),
    );
    assert.ok(process.memoryUsage().arrayBuffers - before < 15_000_000);
    await peer.send(packet.subarray(packet.length - 1));
    assert.deepEqual(await answer(peer), ['Command=Data', 'Code=8', 'Message=']);
    assert.equal(
      peer.received.length,
      encodePacket(Buffer.from('[Response]\r\nCommand=Data\r\nCode=8\r\nMessage=')).length,
    );
  });

  it('closes on a command text above 64 KiB before login, as soon as its length is there, and takes it after', async () => {
    await using server = await TestServer.start();
    using stranger = await server.connect();
    const long = request('Active', [['Filler', 'x'.repeat(70_000)]]);
    await stranger.send(Uint8Array.of(Upload), long.subarray(0, 20));
    assert.equal((await stranger.waitForClose()).length, 0);
    using peer = await server.login(Upload);
    await peer.send(long);
    assert.deepEqual(await answer(peer), ['Command=Active', 'Code=0']);
  });

  it('makes failed logins wait longer and longer, per address', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock });
    using peer = await server.connect();
    await peer.send(Uint8Array.of(Upload));
    const wrong = request('Login', [
      ['UserName', 'admin'],
      ['Password', 'f'.repeat(32)],
    ]);
    await peer.send(wrong, wrong, wrong, wrong);
    await answer(peer);
    await answer(peer);
    const timers = clock.pendingTimers;
    await eventually('the third attempt waits', () => clock.pendingTimers > 1 || timers > 1);
    clock.advance(500);
    assert.equal((await answer(peer))[1], 'Code=7');
  });

  it('lets no burst of wrong logins keep its connections: most are refused at once, and those that wait go when the peer goes', async () => {
    const clock = new ManualClock();
    await using server = await TestServer.start({ clock });
    const wrong = request('Login', [
      ['UserName', 'admin'],
      ['Password', 'f'.repeat(32)],
    ]);
    const peers = await Promise.all(Array.from({ length: 60 }, () => server.connect()));
    for (const peer of peers) await peer.send(Uint8Array.of(Upload), wrong);
    const answered = () => peers.filter((peer) => peer.received.length > 0).length;
    await eventually('all but those that wait are refused', () => answered() >= 60 - 16 - 4);
    for (const peer of peers) peer.reset();
    await eventually('all are gone, although no time has passed', () => server.server.listener.connections.size === 0);
  });

  it('refuses a command text of more than 65,536 lines, before it is worked on', async () => {
    await using server = await TestServer.start();
    using peer = await server.login(Upload);
    await peer.send(text(`[Request]\r\nCommand=DeleteFile\r\nDirName=\r\n${'a=\r\n'.repeat(70_000)}`));
    assert.match((await peer.waitForClose()).toString(), /Command=\r\nCode=3\r\nMessage=$/);
  });

  it('answers a command name with a lone line feed or carriage return, which an answer cannot repeat', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(
      Uint8Array.of(Upload),
      text('[Request]\r\nCommand=Foo\nBar'),
      login(),
      text('[Request]\r\nCommand=Foo\rBar'),
    );
    assert.deepEqual(await answer(peer), ['Command=Foo Bar', 'Code=8', 'Message=']);
    await answer(peer);
    assert.deepEqual(await answer(peer), ['Command=Foo Bar', 'Code=1', 'Message=']);
  });

  it('cuts what a peer makes it log', async () => {
    const lines: string[] = [];
    await using server = await TestServer.start({ log: textLog(lines) });
    using peer = await server.login(Upload);
    await ask(peer, 'x'.repeat(1_000_000));
    const line = lines.find((each) => each.includes('unknown command')) ?? '';
    assert.ok(line.length < 1000 && line.includes('1000000 characters'), `${line.length}`);
  });

  it('escapes what a peer sends before it reaches the log', async () => {
    const lines: string[] = [];
    await using server = await TestServer.start({ log: textLog(lines) });
    using peer = await server.login(Upload);
    await ask(peer, '\u001b[31mred\tand a "quote"');
    const line = lines.find((each) => each.includes('unknown command')) ?? '';
    assert.match(line, /command="\\x1b\[31mred\\x09and a \\"quote\\""/);
    assert.equal(line.indexOf('\u001b'), -1);
  });

  it('answers a peer that has ended its sending side, then closes', async () => {
    await using server = await TestServer.start();
    using peer = await server.connect();
    await peer.send(Uint8Array.of(Upload), login(), request('Dir', [['ParentDir', '']]));
    peer.halfClose();
    assert.deepEqual(await answer(peer), ['Command=Login', 'Code=0']);
    assert.deepEqual(await answer(peer), ['Command=Dir', 'Code=0']);
    await peer.waitForClose();
    await eventually('gone', () => server.server.listener.connections.size === 0);
  });
});

function textLog(lines: string[]): ServerLog {
  return new ServerLog({ level: 'debug', sinks: [(record) => lines.push(`${textLine(record)}\n`)] });
}
