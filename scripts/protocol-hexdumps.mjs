// Writes the bytes of the examples in docs/protocol.md anew, from what the encoders make of them: `npm run build`, then `node scripts/protocol-hexdumps.mjs`.
// Which examples there are, and where they stand, is left to who edits the page.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const { PROTOCOL_EXAMPLES } = await import(path.join(root, 'build/test/e2e/docs/protocol-examples.js'));
const page = path.join(root, 'docs/protocol.md');

const FENCE = /(, )[\d,]+( bytes:\n\n)```hexdump ([\w-]+)\n(?:[^`]|`(?!``))*?```/g;
const text = readFileSync(page, 'utf8').replace(FENCE, (all, before, behind, name) => {
  const bytes = PROTOCOL_EXAMPLES[name];
  return bytes
    ? `${before}${bytes.length.toLocaleString('en-US')}${behind}\`\`\`hexdump ${name}\n${dump(bytes)}\`\`\``
    : all;
});
writeFileSync(page, text);

function dump(bytes) {
  let lines = '';
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const hex = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const plain = part.map((byte) =>
      byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : byte === 0x20 ? ' ' : '.',
    );
    lines += `${hex.padEnd(48)} |${plain.join('')}|\n`;
  }
  return lines;
}
