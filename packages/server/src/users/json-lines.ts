/** A string, a number, a word, or one character of any other kind but white space. */
const TOKEN =
  /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[^ \t\r\n]/gu;

/** What may stand where a value may, as `kindOf` has it. */
const VALUE = '{["0';

/** In which line a text that `JSON.parse` refuses stops being JSON: where something stands that may not, or, if it ends too early, its last one. */
export function lineOfSyntaxError(text: string): number {
  const open: string[] = [];
  let expected = VALUE;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const kind = kindOf(token);
    if (!expected.includes(kind)) return lineAt(text, index);
    const isKey = kind === '"' && open.at(-1) === '{' && !expected.includes(VALUE);
    if (kind === '}' || kind === ']') open.pop();
    if (kind === '{' || kind === '[') open.push(kind);
    const isInObject = open.at(-1) === '{';
    if (kind === '{') expected = '"}';
    else if (kind === '[') expected = `${VALUE}]`;
    else if (kind === ':') expected = VALUE;
    else if (kind === ',') expected = isInObject ? '"' : VALUE;
    else if (isKey) expected = ':';
    else if (open.length === 0) expected = '';
    else expected = isInObject ? ',}' : ',]';
  }
  return lineAt(text, text.trimEnd().length);
}

/** `"` for a string, `0` for a number or a word, `?` for what JSON does not have, else the character itself. */
function kindOf(token: string): string {
  if (token.length > 1 && token.startsWith('"')) return '"';
  if (/^(?:-?\d|true$|false$|null$)/.test(token)) return '0';
  return /^[{}[\],:]$/.test(token) ? token : '?';
}

/** In which lines the elements of the array at the top-level key begin. @param text JSON that `JSON.parse` has taken */
export function linesOfElements(text: string, key: string): number[] {
  const lines: number[] = [];
  let depth = 0;
  let isInArray = false;
  let expectsElement = false;
  let lastString: string | undefined;
  let topKey: string | undefined;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s[\]{}:,"]+/g)) {
    if (expectsElement && token !== ']') {
      lines.push(lineAt(text, index));
      expectsElement = false;
    }
    if (token === ':' && depth === 1) topKey = lastString;
    else if (token === '[' || token === '{') {
      depth += 1;
      if (token === '[' && depth === 2 && topKey === key) {
        isInArray = true;
        expectsElement = true;
        lines.length = 0; // of a key that is there twice, the last one counts
      }
    } else if (token === ']' || token === '}') {
      if (depth === 2) {
        isInArray = false;
        expectsElement = false;
      }
      depth -= 1;
    } else if (token === ',') expectsElement = isInArray && depth === 2;
    lastString = token.startsWith('"') ? (JSON.parse(token) as string) : undefined;
  }
  return lines;
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length;
}
