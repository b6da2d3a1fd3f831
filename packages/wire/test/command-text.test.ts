import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  asciiFold,
  decodeDirRequest,
  decodeLoginRequest,
  messageText,
  ProtocolError,
  RequestError,
  ResultCode,
  requestText,
  responseText,
} from '@sluice/wire';
import fc from 'fast-check';
import { textOf } from './support.js';

const malformed = { name: 'ProtocolError', code: 'ERR_TEXT_MALFORMED' };
const badParameter = { name: 'RequestError', resultCode: ResultCode.ParameterError };

/** Any text without CR and LF. */
const value = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !/[\r\n]/.test(text));

function written(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

describe('decoder test cases, specification 16.2', () => {
  const commands: [text: string, command: string | undefined][] = [
    ['[Request]\r\nCommand=Active', 'Active'],
    ['[Request]\r\nCommand=Active\r\n\r\n', 'Active'],
    ['Command=Active\r\nA=1', 'Active'],
    ['[Request]\r\nCommand= Active', ' Active'],
    ['[Request]\r\nCOMMAND=aCtIvE', 'aCtIvE'],
    ['[Request]\r\nCommand=Active\r\nA=1=2', 'Active'],
    ['[Request]\r\nCommand=Foo\r\nCommand=Active', 'Active'],
    ['[Request]\r\nA=1', undefined],
  ];
  for (const [text, command] of commands) {
    it(`${JSON.stringify(text)} is the command ${JSON.stringify(command)}`, () => {
      assert.equal(textOf(text).command, command);
    });
  }

  for (const text of ['Command=Active', 'Command=Active\r\n', '', '\r\n\r\n', '[Request]', '[Request]\r\n\r\n']) {
    it(`${JSON.stringify(text)} is malformed`, () => {
      assert.throws(() => textOf(text), malformed);
    });
  }

  it('splits a line at its first equals sign (D21)', () => {
    assert.equal(textOf('[Request]\r\nCommand=Active\r\nA=1=2').first('A'), '1=2');
    assert.equal(textOf('[Request]\r\nItem=b=c.txt\r\nItem==').first('Item'), 'b=c.txt');
    assert.deepEqual(textOf('[Request]\r\nItem=b=c.txt\r\nItem==').all('Item'), ['b=c.txt', '=']);
  });

  it('takes the first of two user names', () => {
    const text = textOf('[Request]\r\nCommand=Login\r\nUserName=a\r\nUserName=b\r\nPassword=x');
    assert.equal(decodeLoginRequest(text).userName, 'a');
  });

  it('tells an empty ParentDir from a missing one', () => {
    assert.equal(decodeDirRequest(textOf('[Request]\r\nCommand=Dir\r\nParentDir=')), '');
    assert.throws(() => decodeDirRequest(textOf('[Request]\r\nCommand=Dir')), badParameter);
  });
});

describe('command text, specification 3.2', () => {
  it('needs two lines that are not empty, wherever empty ones stand', () => {
    assert.equal(textOf('\r\n\r\n[Request]\r\n\r\nCommand=A\r\n\r\n').command, 'A');
    assert.throws(() => textOf('\r\n\r\nCommand=A\r\n\r\n'), malformed);
  });

  it('ignores lines without an equals sign', () => {
    const text = textOf('nonsense\r\nCommand=A\r\nmore\r\nFileName=x');
    assert.deepEqual([text.command, text.first('FileName')], ['A', 'x']);
    assert.equal(textOf('a\r\nb').command, undefined);
  });

  it('trims neither keys nor values', () => {
    const text = textOf('[Request]\r\n Command=A\r\nFileName =x\r\nDirName= y \t');
    assert.equal(text.command, undefined);
    assert.equal(text.first('FileName'), undefined);
    assert.equal(text.first('FileName '), 'x');
    assert.equal(text.first('DirName'), ' y \t');
  });

  it('takes the first of several keys, the last of several commands, and all items in order', () => {
    const text = textOf('x\r\nCommand=A\r\nItem=1\r\nCOMMAND=B\r\nitem=2\r\nItem=\r\nCommand=');
    assert.equal(text.command, '');
    assert.equal(text.first('Item'), '1');
    assert.deepEqual(text.all('ITEM'), ['1', '2', '']);
  });

  it('tells a present and empty value from a missing key', () => {
    const text = textOf('[Request]\r\nDirName=');
    assert.equal(text.first('DirName'), '');
    assert.equal(text.first('FileName'), undefined);
    assert.deepEqual(text.all('FileName'), []);
  });

  it('compares keys after ASCII folding, and by no language (D23)', () => {
    const text = textOf(
      '[Request]\r\nFILESIZE=1\r\nf\u0131leName=2\r\nF\u0130LENAME=3\r\n\u212aey=4\r\nDirName\u00ad=5',
    );
    assert.equal(text.first('FileSize'), '1');
    assert.equal(text.first('fIlEsIzE'), '1');
    assert.equal(text.first('FileName'), undefined, 'dotless or dotted i is not i');
    assert.equal(text.first('f\u0131lename'), '2');
    assert.equal(text.first('key'), undefined, 'the Kelvin sign is no K');
    assert.equal(text.first('DirName'), undefined, 'an invisible character is a character');
  });

  it('folds A to Z and nothing else', () => {
    assert.equal(asciiFold('AZaz09[]@`{'), 'azaz09[]@`{');
    assert.equal(asciiFold('\u0130\u0131\u212aÄß'), '\u0130\u0131\u212aÄß');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const expected = [...text].map((char) => (char >= 'A' && char <= 'Z' ? char.toLowerCase() : char)).join('');
        assert.equal(asciiFold(text), expected);
      }),
    );
  });

  it('separates lines by the pair CR LF only', () => {
    const text = textOf('[Request]\r\nFileName=a\rb\nc\n\rd\r\r\nDirName=e');
    assert.equal(text.first('FileName'), 'a\rb\nc\n\rd\r');
    assert.equal(text.first('DirName'), 'e');
    assert.throws(() => textOf('[Request]\nCommand=A\rB=1'), malformed);
  });

  it('replaces what is not UTF-8, and never fails', () => {
    const bytes = Buffer.concat([Buffer.from('[Request]\r\nCommand=Act'), Buffer.of(0xff), Buffer.from('ive')]);
    assert.equal(textOf(bytes).command, 'Act\ufffdive');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (tail) => {
        const text = textOf(Buffer.concat([Buffer.from('[Request]\r\nCommand=A\r\nItem='), tail]));
        assert.equal(typeof text.first('Item'), 'string');
      }),
    );
  });

  it('keeps a byte-order mark: it belongs to the line it stands in', () => {
    assert.equal(textOf('\ufeffCommand=A\r\nCommand2=B').command, undefined);
    assert.equal(textOf('[Request]\r\nCommand=\ufeffA').command, '\ufeffA');
    assert.equal(textOf('\ufeff[Request]\r\nCommand=A').command, 'A');
  });

  it('reads only the range it is given', () => {
    const bytes = Buffer.from('####[Request]\r\nCommand=A####');
    assert.throws(() => textOf(bytes.subarray(0, 6)), malformed);
    assert.equal(textOf(bytes.subarray(4, -4)).command, 'A');
  });
});

describe('written command text, specification 3.1 and 3.4', () => {
  it('has the marker, the command, then the keys in the order given, and no line end', () => {
    assert.equal(
      written(
        requestText('X', [
          ['B', 1],
          ['A', 'two'],
          ['C', 3n],
        ]),
      ),
      '[Request]\r\nCommand=X\r\nB=1\r\nA=two\r\nC=3',
    );
  });

  it('repeats the command as the client spelled it', () => {
    assert.equal(written(responseText('aCtIvE', 0)), '[Response]\r\nCommand=aCtIvE\r\nCode=0');
    assert.equal(written(responseText('', 5)), '[Response]\r\nCommand=\r\nCode=5\r\nMessage=');
  });

  it('has a Message on failure, even an empty one, and none on success', () => {
    assert.equal(
      written(responseText('Dir', 0x02000001, [['A', 1]], 'no')),
      '[Response]\r\nCommand=Dir\r\nCode=33554433\r\nMessage=no\r\nA=1',
    );
    assert.equal(written(responseText('Dir', 0, [], 'not sent')), '[Response]\r\nCommand=Dir\r\nCode=0');
  });

  it('refuses a line break in any value', () => {
    const refused = { name: 'ProtocolError', code: 'ERR_VALUE_LINE_BREAK' };
    for (const bad of ['a\rb', 'a\nb', 'a\r\nCommand=Other', '\n', '\r']) {
      assert.throws(() => requestText('X', [['FileName', bad]]), refused);
      assert.throws(() => requestText(bad), refused);
      assert.throws(() => responseText(bad, 0), refused);
      assert.throws(() => responseText('X', 4, [], bad), refused);
      assert.throws(() => responseText('X', 0, [['Item', bad]]), ProtocolError);
    }
  });

  it('makes a message of any text that says the same in one line without equals signs (D22)', () => {
    assert.equal(messageText(' a=b\r\nc\n\n=d\r'), 'a b c d');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const message = messageText(text);
        assert.doesNotMatch(message, /[\r\n=]/);
        assert.doesNotThrow(() => responseText('X', 4, [], message));
      }),
    );
  });

  it('decodes to what was written, for any command and values without line breaks', () => {
    fc.assert(
      fc.property(value, fc.array(value, { maxLength: 8 }), (command, items) => {
        const request = textOf(
          requestText(
            command,
            items.map((item) => ['Item', item] as const),
          ),
        );
        assert.equal(request.command, command);
        assert.deepEqual(request.all('Item'), items);
        const failure = textOf(responseText(command, 6, [], items[0] ?? ''));
        assert.equal(failure.first('Message'), items[0] ?? '');
      }),
    );
  });

  it('an error to the peer is a code and a text', () => {
    const error = new RequestError(ResultCode.FileIsInUse, 'busy', { cause: 1 });
    assert.deepEqual([error.resultCode, error.message, error.cause], [11, 'busy', 1]);
  });
});
