const plainAscii = /^[\x20-\x7e]*$/;
const wide =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{17000}-\u{18aff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}])/u;
const invisible = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;
/** C0, DEL, C1, line separators, and the marks that turn the direction of what follows. */
const unsafe = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/gu;
const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\x1b': '\\e' };

/** Text from a file name or a peer, made fit for a terminal: nothing in it can move the cursor, colour or reorder. */
export function escapeControls(text: string): string {
  return plainAscii.test(text)
    ? text
    : text.replace(unsafe, (char) => {
        const code = char.codePointAt(0) ?? 0;
        return escapes[char] ?? (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`);
      });
}

/** Columns that the text takes on a terminal: wide characters and emoji 2, combining marks 0. Colour codes are not understood. */
export function displayWidth(text: string): number {
  if (plainAscii.test(text)) return text.length;
  let width = 0;
  for (const grapheme of graphemesOf(text)) width += graphemeWidth(grapheme);
  return width;
}

/** At most `width` columns; what was left out in the middle is shown as `…`, so that the end of a name stays readable. */
export function shortenMiddle(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width < 1) return '';
  const graphemes = graphemesOf(text);
  const tailWidth = Math.floor((width - 1) / 2);
  const tail = takeColumns(graphemes.toReversed(), tailWidth).reverse().join('');
  return `${takeColumns(graphemes, width - 1 - displayWidth(tail)).join('')}…${tail}`;
}

/** The first columns of the text, at most `width`. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  return takeColumns(graphemesOf(text), width).join('');
}

/** Spaces behind the text, up to `width` columns. */
export function padColumns(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/** Broken at spaces into lines of at most `width` columns; a longer word gets a line of its own. */
export function wrapColumns(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines;
}

/** Made when first needed: that takes 15 ms, which a short command does not have. */
let segmenter: Intl.Segmenter | undefined;

/** What a reader takes for one character. */
function graphemesOf(text: string): string[] {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

function graphemeWidth(grapheme: string): number {
  if (wide.test(grapheme) || grapheme.includes('\ufe0f')) return 2;
  return invisible.test(grapheme) ? 0 : 1;
}

function takeColumns(graphemes: readonly string[], width: number): string[] {
  const taken: string[] = [];
  let left = width;
  for (const grapheme of graphemes) {
    left -= graphemeWidth(grapheme);
    if (left < 0) break;
    taken.push(grapheme);
  }
  return taken;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
