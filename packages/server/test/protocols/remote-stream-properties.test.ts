import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { splitEvery } from '@sluice/testkit';
import fc from 'fast-check';
import { type Answer, extended, nextAnswer, openRequest } from '../support/remote-stream.js';
import { slowDisk } from '../support/slow-disk.js';
import { answer, request, TestServer } from '../support/test-server.js';

/** What a file and its position must be. */
interface Model {
  content: Buffer;
  position: number;
}

interface Operation {
  readonly name: string;
  readonly bytes: (tag: number | undefined) => Uint8Array;
  /** Does the same to the model. @returns the answer's keys, and its data */
  readonly expect: (model: Model) => { readonly keys: Record<string, string>; readonly data?: Buffer };
}

const tagged = (tag: number | undefined): [string, number][] => (tag === undefined ? [] : [['Tag', tag]]);
const ok = (keys: Record<string, string> = {}) => ({ keys: { Code: '0', ...keys } });
const refused = { keys: { Code: '6' } };

function put(model: Model, position: number, data: Buffer): void {
  if (data.length === 0) return;
  const content = Buffer.alloc(Math.max(model.content.length, position + data.length));
  model.content.copy(content);
  data.copy(content, position);
  model.content = content;
}

const place = fc.integer({ min: 0, max: 40_000 });
const count = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 30_000, max: 50_000 }));
const data = fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes));

const operations = fc.oneof(
  count.map(
    (n): Operation => ({
      name: `Read ${n}`,
      bytes: (tag) => request('Read', [...tagged(tag), ['Count', n]]),
      expect: (model) => {
        const got = model.content.subarray(model.position, model.position + n);
        model.position += got.length;
        return { ...ok({ Count: `${got.length}` }), data: Buffer.from(got) };
      },
    }),
  ),
  data.map(
    (bytes): Operation => ({
      name: `Write ${bytes.length}`,
      bytes: (tag) => request('Write', tagged(tag), bytes),
      expect: (model) => {
        put(model, model.position, bytes);
        model.position += bytes.length;
        return ok({ Count: `${bytes.length}` });
      },
    }),
  ),
  fc.tuple(place, count).map(
    ([at, n]): Operation => ({
      name: `ReadAt ${at} ${n}`,
      bytes: (tag) => request('ReadAt', [...tagged(tag), ['Position', at], ['Count', n]]),
      expect: (model) => {
        const got = model.content.subarray(at, at + n);
        return { ...ok({ Count: `${got.length}` }), data: Buffer.from(got) };
      },
    }),
  ),
  fc.tuple(place, data).map(
    ([at, bytes]): Operation => ({
      name: `WriteAt ${at} ${bytes.length}`,
      bytes: (tag) => request('WriteAt', [...tagged(tag), ['Position', at], ['Count', bytes.length]], bytes),
      expect: (model) => {
        put(model, at, bytes);
        return ok({ Count: `${bytes.length}` });
      },
    }),
  ),
  fc.tuple(fc.integer({ min: -50_000, max: 50_000 }), fc.integer({ min: 0, max: 2 })).map(
    ([offset, origin]): Operation => ({
      name: `Seek ${offset} ${origin}`,
      bytes: (tag) => request('Seek', [...tagged(tag), ['Offset', offset], ['SeekOrigin', origin]]),
      expect: (model) => {
        const position = [0, model.position, model.content.length][origin]! + offset;
        if (position < 0) return refused;
        model.position = position;
        return ok({ Offset: `${position}` });
      },
    }),
  ),
  place.map(
    (size): Operation => ({
      name: `SetSize ${size}`,
      bytes: (tag) => request('SetSize', [...tagged(tag), ['Size', size]]),
      expect: (model) => {
        const content = Buffer.alloc(size);
        model.content.copy(content);
        model.content = content;
        model.position = Math.min(model.position, size);
        return ok();
      },
    }),
  ),
  place.map(
    (position): Operation => ({
      name: `SetPosition ${position}`,
      bytes: (tag) => request('SetPosition', [...tagged(tag), ['Position', position]]),
      expect: (model) => {
        model.position = position;
        return ok();
      },
    }),
  ),
  fc.constant<Operation>({
    name: 'GetSize',
    bytes: (tag) => request('GetSize', tagged(tag)),
    expect: ({ content }) => ok({ Size: `${content.length}` }),
  }),
  fc.constant<Operation>({
    name: 'GetPosition',
    bytes: (tag) => request('GetPosition', tagged(tag)),
    expect: ({ position }) => ok({ Position: `${position}` }),
  }),
);

function requireAnswer(got: Answer, wanted: ReturnType<Operation['expect']>, what: string): void {
  for (const [key, value] of Object.entries(wanted.keys)) assert.equal(got.keys[key], value, `${what}: ${key}`);
  assert.ok(got.data.equals(wanted.data ?? Buffer.alloc(0)), `${what}: data`);
}

describe('any run of requests on a remote file', () => {
  for (const pacing of ['fast', 'thread pool', 'changing'] as const) {
    for (const withTags of [false, true]) {
      it(`does what a model does, ${withTags ? 'one after the other with tags' : 'sent at once without tags'}, on a disk that is ${pacing}`, async () => {
        await using server = await TestServer.start();
        using disk = pacing === 'fast' ? undefined : slowDisk((await stat(server.root)).dev, pacing);
        void disk;
        let run = 0;
        await fc.assert(
          fc.asyncProperty(
            fc.array(operations, { maxLength: 40 }),
            fc.integer({ min: 1, max: 3000 }),
            async (list, size) => {
              run += 1;
              using peer = await extended(server);
              await peer.send(openRequest(`f${run}`, 1));
              await answer(peer);
              const model: Model = { content: Buffer.alloc(0), position: 0 };
              if (!withTags) {
                for (const piece of splitEvery(Buffer.concat(list.map(({ bytes }) => bytes(undefined))), size))
                  void peer.send(piece);
                for (const { name, expect } of list) requireAnswer(await nextAnswer(peer), expect(model), name);
              } else {
                for (const [tag, { name, bytes, expect }] of list.entries()) {
                  await peer.send(bytes(tag));
                  const got = await nextAnswer(peer);
                  assert.equal(got.keys['Tag'], `${tag}`);
                  requireAnswer(got, expect(model), name);
                }
              }
              assert.ok((await readFile(server.path(`f${run}`))).equals(model.content));
            },
          ),
          { numRuns: withTags ? 15 : 40 },
        );
      });
    }
  }
});

describe('any requests with tags that touch different places', () => {
  for (const pacing of ['fast', 'thread pool', 'changing'] as const) {
    it(`may all be in progress together, on a disk that is ${pacing}`, async () => {
      await using server = await TestServer.start();
      using disk = pacing === 'fast' ? undefined : slowDisk((await stat(server.root)).dev, pacing);
      void disk;
      let run = 0;
      const slots = 200;
      const width = 700;
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(
            fc.tuple(fc.integer({ min: 0, max: slots - 1 }), fc.boolean(), fc.integer({ min: 0, max: width })),
            {
              selector: ([slot]) => slot,
              maxLength: slots,
            },
          ),
          fc.integer({ min: 1, max: 5000 }),
          async (list, size) => {
            run += 1;
            using peer = await extended(server);
            const content = Buffer.from(Array.from({ length: slots * width }, (_, i) => (i * 13 + (i >> 8)) & 255));
            await peer.send(openRequest(`f${run}`, 1), request('Write', [], content));
            await answer(peer);
            await answer(peer);
            const expected = new Map<string, Buffer>();
            const all = list.map(([slot, writes, bytes]) => {
              const at = slot * width;
              if (!writes) {
                expected.set(`${slot}`, Buffer.from(content.subarray(at, at + bytes)));
                return request('ReadAt', [
                  ['Tag', slot],
                  ['Position', at],
                  ['Count', bytes],
                ]);
              }
              expected.set(`${slot}`, Buffer.alloc(0));
              return request(
                'WriteAt',
                [
                  ['Tag', slot],
                  ['Position', at],
                ],
                Buffer.alloc(bytes, slot),
              );
            });
            for (const piece of splitEvery(Buffer.concat([...all, request('GetSize')]), size)) void peer.send(piece);
            for (let i = 0; i < list.length; i++) {
              const got = await nextAnswer(peer);
              const tag = got.keys['Tag'] ?? '';
              assert.equal(got.keys['Code'], '0');
              assert.ok(expected.get(tag)?.equals(got.data), `tag ${tag}`);
              expected.delete(tag);
            }
            assert.equal((await nextAnswer(peer)).keys['Size'], `${content.length}`);
            for (const [slot, writes, bytes] of list)
              if (writes) content.fill(slot, slot * width, slot * width + bytes);
            assert.ok((await readFile(server.path(`f${run}`))).equals(content));
          },
        ),
        { numRuns: 15 },
      );
    });
  }
});
