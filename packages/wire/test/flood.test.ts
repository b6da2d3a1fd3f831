import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LengthFieldDecoder } from '@sluice/framing';
import {
  type CommandText,
  commandTextEnd,
  dataRequestText,
  decodeCommandText,
  decodeFloodReport,
  decodeFloodRequest,
  decodeFloodResponse,
  decodeResponse,
  encodeFloodReport,
  encodeFloodRequest,
  encodeFloodResponse,
  FLOOD_DIRECTIONS,
  FloodPackets,
  type FloodRequest,
  MAX_FLOOD_BYTES,
  MAX_FLOOD_MS,
  MAX_REPORT_MS,
  MIN_REPORT_MS,
  ProtocolError,
  packetLayout,
  type RequestError,
  requestText,
  responseText,
} from '@sluice/wire';
import fc from 'fast-check';

function textOf(bytes: Uint8Array): CommandText {
  return decodeCommandText(bytes, 0, bytes.length);
}

describe('a Flood request', () => {
  it('comes back from its text as it was', () => {
    const requests = fc.record(
      {
        direction: fc.constantFrom(...FLOOD_DIRECTIONS),
        durationMs: fc.integer({ min: 1, max: MAX_FLOOD_MS }),
        size: fc.integer({ min: 1, max: MAX_FLOOD_BYTES }),
        intervalMs: fc.integer({ min: MIN_REPORT_MS, max: MAX_REPORT_MS }),
      },
      { requiredKeys: ['direction', 'durationMs'] },
    ) as fc.Arbitrary<FloodRequest>;
    fc.assert(
      fc.property(requests, (request) => {
        assert.deepEqual(decodeFloodRequest(textOf(encodeFloodRequest(request))), { ...request });
      }),
    );
  });

  const good = { Direction: 'up', DurationMs: '1000' };
  for (const bad of [
    { Direction: 'sideways' },
    { Direction: 'UP' },
    { DurationMs: '0' },
    { DurationMs: '-1' },
    { DurationMs: '3600001' },
    { DurationMs: '1.5' },
    { DurationMs: '' },
    { DurationMs: '99999999999999999999' },
    { Size: '0' },
    { Size: '-5' },
    { Size: String(2 ** 50 + 1) },
    { Size: 'all' },
    { IntervalMs: '49' },
    { IntervalMs: '60001' },
    { IntervalMs: 'often' },
  ]) {
    it(`is refused with code 6 for ${JSON.stringify(bad)}`, () => {
      const text = textOf(requestText('Flood', Object.entries({ ...good, ...bad })));
      assert.throws(
        () => decodeFloodRequest(text),
        (error: RequestError) => error.resultCode === 6,
      );
    });
  }

  for (const missing of ['Direction', 'DurationMs']) {
    it(`is refused with code 6 without ${missing}`, () => {
      const text = textOf(
        requestText(
          'Flood',
          Object.entries(good).filter(([key]) => key !== missing),
        ),
      );
      assert.throws(
        () => decodeFloodRequest(text),
        (error: RequestError) => error.resultCode === 6,
      );
    });
  }
});

describe('the answers to Flood', () => {
  it('come back from their texts as they were', () => {
    const grant = { durationMs: 5000, rate: 1_000_000 };
    assert.deepEqual(decodeFloodResponse(decodeResponse(textOf(encodeFloodResponse('Flood', grant)))), grant);
    const report = { received: 2 ** 40, sent: 3, elapsedMs: 1000, cpuMs: 20, busyMs: 30, isEnd: true };
    for (const isEnd of [false, true]) {
      const text = textOf(encodeFloodReport({ ...report, isEnd }));
      assert.deepEqual(decodeFloodReport(decodeResponse(text)), { ...report, isEnd });
    }
  });

  it('are refused without a key, and with a number that is none', () => {
    for (const [key, value] of [
      ['Received', '-1'],
      ['Received', String(2n ** 60n)],
      ['Sent', 'x'],
      ['ElapsedMs', ''],
      ['CpuMs', '1.5'],
      ['BusyMs', undefined],
    ] as const) {
      const fields = { Received: '1', Sent: '1', ElapsedMs: '1', CpuMs: '1', BusyMs: '1', [key]: value };
      const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
      const response = decodeResponse(textOf(responseText('FloodReport', 0, given)));
      assert.throws(() => decodeFloodReport(response), ProtocolError, `${key}=${value}`);
    }
    assert.throws(() => decodeFloodResponse(decodeResponse(textOf(responseText('Flood', 0)))), ProtocolError);
  });
});

describe('the packets of a flood', () => {
  const packets = new FloodPackets(dataRequestText(), 4);

  it('carry as many bytes as they say, and are whole Data packets', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 * packets.capacityBytes }), (limit) => {
        const taken = packets.take(limit);
        let [count, dataBytes] = [0, 0];
        const decoder = new LengthFieldDecoder(packetLayout(), {
          onFrame(source, start, end) {
            const textEnd = commandTextEnd(source, start, end - start);
            assert.equal(decodeCommandText(source, start + 8, textEnd).command, 'Data');
            count += 1;
            dataBytes += end - textEnd;
            return true;
          },
        });
        decoder.push(taken.packets, 0, taken.packets.length);
        assert.ok(!decoder.isMidFrame);
        assert.deepEqual([taken.count, taken.dataBytes], [count, dataBytes]);
        assert.ok(dataBytes > 0 && dataBytes <= limit);
      }),
      { numRuns: 50 },
    );
  });

  it('bring a flood to its size exactly', () => {
    let left = 1_000_001;
    while (left > 0) left -= packets.take(left).dataBytes;
    assert.equal(left, 0);
  });
});
