import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ListedClient } from '@sluice/client';
import { ServerFigures } from '../../../packages/cli/dist/operators/server-figures.js';
import { type TopLayout, topLines } from '../../../packages/cli/dist/operators/top-lines.js';
import { TopModel } from '../../../packages/cli/dist/operators/top-model.js';
import { displayWidth } from '../../../packages/cli/dist/terminal/terminal-text.js';

const NOW_MS = Date.parse('2024-05-01T12:00:00Z');
const wide: TopLayout = { columns: 160, rows: 12, hasColours: false };

function client(id: number, record: Partial<ListedClient> = {}): ListedClient {
  return {
    id,
    localAddress: '127.0.0.1:4567',
    remoteAddress: `10.0.0.${id % 250}:5000`,
    protocol: 'Upload',
    user: 'ada',
    connectedAt: '2024-05-01T11:58:55.000Z',
    lastActivityAt: '2024-05-01T11:59:56.000Z',
    receivedBytes: 0,
    sentBytes: 0,
    queuedBytes: 0,
    receiveRate: 0,
    sendRate: 0,
    ...record,
  };
}

function modelOf(...clients: ListedClient[]): TopModel {
  const model = new TopModel('id', '', () => NOW_MS);
  model.show(clients);
  return model;
}

/** Each key by its name; single characters type themselves. */
function press(model: TopModel, ...names: string[]) {
  return names.map((name) => model.press({ name, text: name.length === 1 ? name : '' })).at(-1);
}

function linesOf(model: TopModel, layout: TopLayout = wide, trouble?: string): string[] {
  return topLines(model, { title: 'admin@host:1', figures: ['up 4 s', 'CPU 3%'], trouble }, layout, NOW_MS);
}

function shownIds(model: TopModel): (number | undefined)[] {
  return model.rows.map(({ id }) => id);
}

describe('the view of sluice top', () => {
  it('shows the server, the totals and the connections', () => {
    const transfer = { direction: 'upload', name: 'films/a.mkv', doneBytes: 512, totalBytes: 1024 } as const;
    const lines = linesOf(
      modelOf(client(1, { receiveRate: 2048, transfer }), client(2, { user: 'bob', sendRate: 1024 })),
    );
    assert.equal(lines[0], 'sluice top  admin@host:1  up 4 s  CPU 3%');
    assert.equal(lines[1], '2 connections, 1 transfer  in 2.00 KiB/s  out 1.00 KiB/s  by id');
    assert.match(
      lines[2] ?? '',
      /^ +ID▾ +USER +PROTOCOL +FROM +TLS +SINCE +IDLE +IN +OUT +IN\/S +OUT\/S +QUEUED +TRANSFER/,
    );
    assert.match(
      lines[3] ?? '',
      /^> +1 +ada +Upload +10\.0\.0\.1:5000 +1m 05s +4 s .* 2\.00 KiB\/s .* ↑ 50% films\/a\.mkv$/,
    );
    assert.match(lines[4] ?? '', /^ +2 +bob /);
    assert.equal(lines.length, wide.rows);
    assert.match(lines.at(-1) ?? '', /^q quit/);
  });

  for (const columns of [1, 2, 10, 20, 40, 60, 80, 120, 200]) {
    for (const rows of [1, 2, 3, 4, 5, 24]) {
      it(`fits ${columns} columns and ${rows} rows, whatever it shows`, () => {
        const model = modelOf(
          ...Array.from({ length: 50 }, (_, index) => client(index + 1, { user: '漢字'.repeat(20) })),
        );
        const layout = { columns, rows, hasColours: false };
        const fits = (): void => {
          const lines = linesOf(model, layout, 'link broken');
          assert.equal(lines.length, rows);
          for (const line of lines) assert.ok(displayWidth(line) <= columns, line);
        };
        fits();
        press(model, '?');
        fits();
        press(model, 'q', '/', ...'a long filter 漢字');
        fits();
        press(model, 'ctrl-u', 'return', 'k');
        assert.equal(model.prompt?.kind, 'kick');
        fits();
      });
    }
  }

  it('writes nothing of a peer that could move the cursor', () => {
    const model = modelOf(
      client(1, {
        user: '\x1b[2Ja\n',
        protocol: '\x07',
        transfer: { direction: 'upload', name: '\x9b1m\u202e', doneBytes: 1, totalBytes: 1 } as const,
      }),
    );
    press(model, 'k');
    const texts = [...linesOf(model), ...linesOf(modelOf(), wide, '\x1b[2J')];
    for (const text of texts) assert.doesNotMatch(text, /[\x00-\x1f\x7f-\x9f\u202e]/);
  });

  it('colours what moves and what waits, and only where colours are wanted', () => {
    const model = modelOf(client(1), client(2, { sendRate: 9 }), client(3, { queuedBytes: 9 }));
    const [, , heading, selected, moving, waiting] = linesOf(model, { ...wide, hasColours: true });
    assert.ok(heading?.startsWith('\x1b[7m') && heading.endsWith('\x1b[0m'));
    assert.ok(selected?.startsWith('\x1b[7m> '));
    assert.ok(moving?.startsWith('\x1b[32m  '));
    assert.ok(waiting?.startsWith('\x1b[33m  '));
    assert.ok(!linesOf(model).join('').includes('\x1b'));
  });

  it('keeps its columns where they are while rates come and go', () => {
    const headings = [0, 1, 1023, 99_000_000].map(
      (receiveRate) =>
        linesOf(modelOf(client(1, { receiveRate, receivedBytes: receiveRate })), { ...wide, columns: 100 })[2],
    );
    for (const heading of headings) assert.equal(heading, headings[0]);
  });

  it('says why it is not up to date', () => {
    assert.equal(linesOf(modelOf(client(1)), wide, 'link broken, trying again').at(-1), 'link broken, trying again');
  });

  it('shows what an original server tells, and cannot end its connections', () => {
    const { localAddress, remoteAddress, protocol } = client(1);
    const model = modelOf({
      localAddress,
      remoteAddress,
      protocol,
      connectedAt: '1/2/2024 3:04 PM',
      lastActivityAt: 'x',
    });
    assert.match(linesOf(model)[3] ?? '', /1\/2\/2024 3:04 PM/);
    press(model, 'k');
    assert.equal(linesOf(model).at(-1), 'this server cannot end connections: it is an original');
  });
});

describe('the keys of sluice top', () => {
  it('sort by the next column or the one before, and the other way round', () => {
    const model = modelOf(client(1, { user: 'bob', queuedBytes: 1 }), client(2, { user: 'ada' }));
    assert.deepEqual(shownIds(model), [1, 2]);
    press(model, 's');
    assert.deepEqual([model.sort, shownIds(model)], ['user', [2, 1]]);
    press(model, 'r');
    assert.deepEqual(shownIds(model), [1, 2]);
    assert.match(linesOf(model)[1] ?? '', /by user, reversed$/);
    press(model, 'r', 'S', 'left');
    assert.deepEqual([model.sort, shownIds(model)], ['queued', [1, 2]]);
    press(model, 'right');
    assert.equal(model.sort, 'id');
  });

  it('leave the selection on its connection wherever that moves, and on its place when it is gone', () => {
    const model = modelOf(client(1), client(2), client(3));
    press(model, 'down');
    model.show([client(3), client(2)]);
    assert.equal(model.selected?.id, 2);
    model.show([client(3), client(4)]);
    assert.equal(model.selected?.id, 3);
    model.show([]);
    assert.deepEqual(shownIds(model), []);
    press(model, 'down', 'end', 'pageup');
    model.show([client(9)]);
    assert.equal(model.selected?.id, 9);
  });

  it('scroll through more connections than there are lines', () => {
    const model = modelOf(...Array.from({ length: 100 }, (_, index) => client(index + 1)));
    const shown = (): string[] => linesOf(model).slice(3, -1);
    assert.equal(shown().length, 8);
    press(model, 'end');
    assert.match(shown().at(-1) ?? '', /^> +100 /);
    press(model, 'pageup');
    assert.match(shown()[0] ?? '', /^> +92 /);
    press(model, ...Array<string>(200).fill('up'));
    assert.match(shown()[0] ?? '', /^> +1 /);
    press(model, 'pagedown', 'down');
    assert.match(shown().at(-1) ?? '', /^> +10 /);
    model.show([client(1), client(2)]);
    assert.match(shown()[0] ?? '', /1 +ada/);
    press(model, 'home');
    assert.match(shown()[0] ?? '', /^> +1 /);
  });

  it('filter while it is typed, in every letter case; escape takes the edit back, and then the filter away', () => {
    const model = modelOf(client(1, { user: 'Ann' }), client(2, { user: 'bob' }));
    press(model, '/', 'a', 'N');
    assert.deepEqual(shownIds(model), [1]);
    assert.match(linesOf(model).at(-1) ?? '', /^filter: aN_ /);
    press(model, 'backspace', 'backspace', 'q', 'k');
    assert.deepEqual(shownIds(model), [], 'keys are text there');
    press(model, 'ctrl-u', 'B', 'return');
    assert.deepEqual(shownIds(model), [2]);
    assert.match(linesOf(model)[1] ?? '', /^1 of 2 connections.* filter: B$/);
    press(model, '/', 'x', 'escape');
    assert.equal(model.filter, 'B');
    press(model, 'escape');
    assert.deepEqual(shownIds(model), [1, 2]);
  });

  it('end a connection only after y, and the one that the question was about', () => {
    const model = modelOf(client(1), client(2));
    assert.equal(press(model, 'k', 'n'), undefined);
    assert.equal(linesOf(model).at(-1), 'not ended');
    assert.equal(press(model, 'k', 'return'), undefined);
    press(model, 'k');
    assert.match(linesOf(model).at(-1) ?? '', /^y to end connection 1 of ada from 10\.0\.0\.1:5000/);
    model.show([client(2)]);
    const action = press(model, 'y');
    assert.deepEqual(action?.kind === 'kick' && action.client.id, 1);
    assert.equal(press(modelOf(), 'k', 'y'), undefined);
  });

  it('freeze what is shown, ages included, and let it go on with the newest', () => {
    const model = modelOf(client(1));
    press(model, ' ');
    model.show([client(1), client(2)]);
    assert.deepEqual(shownIds(model), [1]);
    assert.match(linesOf(model)[1] ?? '', /FROZEN/);
    assert.deepEqual(
      topLines(model, { title: '', figures: [], trouble: undefined }, wide, NOW_MS + 60_000)[3],
      linesOf(model)[3],
    );
    press(model, ' ');
    assert.deepEqual(shownIds(model), [1, 2]);
  });

  it('work for quitting in the list, and Ctrl-C and Ctrl-Z everywhere', () => {
    assert.deepEqual(press(modelOf(), 'q'), { kind: 'quit' });
    for (const before of [[], ['?'], ['/'], ['k']]) {
      const model = modelOf(client(1));
      press(model, ...before);
      assert.deepEqual(press(model, 'ctrl-c'), { kind: 'interrupt' });
      assert.deepEqual(press(model, 'ctrl-z'), { kind: 'suspend' });
      assert.deepEqual(press(model, 'ctrl-l'), { kind: 'redraw' });
    }
  });
});

describe('the figures of the server in sluice top', () => {
  it('are what is used since the last ones, and since its start at first', () => {
    const figures = new ServerFigures();
    const stats = (uptimeMs: number, user: number) => ({
      uptimeMs,
      cpuSeconds: { user, system: 0 },
      memory: { rss: 1024 },
    });
    figures.update(stats(10_000, 1));
    assert.deepEqual(figures.texts, ['up 10 s', 'CPU 10%', 'memory 1.00 KiB']);
    figures.update(stats(12_000, 2));
    assert.deepEqual(figures.texts, ['up 12 s', 'CPU 50%', 'memory 1.00 KiB']);
    figures.update(stats(1000, 0.01));
    assert.deepEqual(figures.texts, ['up 1 s', 'CPU 1%', 'memory 1.00 KiB'], 'the server has started anew');
    figures.update({ ...stats(2000, 0.01), connections: { waiting: 3, refused: 4 } });
    assert.deepEqual(figures.texts.slice(3), ['3 waiting', '4 refused']);
  });

  it('are left out where the server tells something else', () => {
    const figures = new ServerFigures();
    figures.update({
      uptimeMs: 'long',
      cpuSeconds: null,
      memory: [],
      connections: { waiting: -1, refused: Number.NaN },
    });
    assert.deepEqual(figures.texts, []);
  });
});
