/** In which line a JSON text stops being JSON, as far as `JSON.parse` tells: with the position in its message, else the last line. */
export function lineOfSyntaxError(text: string, error: unknown): number {
  const [, position] = /position (\d+)/.exec(error instanceof Error ? error.message : '') ?? [];
  return lineAt(text, position === undefined ? text.trimEnd().length : Number(position));
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
