import type { Frame } from './cpu-profile.js';
import { escapeXml } from './xml.js';

const WIDTH = 1200;
const ROW_HEIGHT = 18;
const HEAD_HEIGHT = 48;
const CHAR_WIDTH = 6.6;
/** Narrower frames are left out, with what is above them. */
const SMALLEST_WIDTH = 0.4;
const MAX_DEPTH = 200;

/** The frames have dark text on light colours, so they can be read on both. */
const STYLE = `
text { font: 11px ui-monospace, monospace; fill: #1f2328; }
.title { font: 600 15px system-ui, sans-serif; }
.small { font: 12px system-ui, sans-serif; }
.background { fill: #ffffff; }
rect { stroke: #ffffff; stroke-width: 0.5; }
.ours { fill: #80bfff; }
.node { fill: #f2cc60; }
.engine { fill: #c6cdd5; }
@media (prefers-color-scheme: dark) {
  .title, .small { fill: #e6edf3; }
  .background { fill: #0d1117; }
  rect { stroke: #0d1117; }
}`;

/**
 * A flame graph: width is time, what is called hangs below its caller. Hovering over a frame tells its name, place and times.
 *
 * @returns a whole SVG document
 */
export function flameGraph(title: string, root: Frame): string {
  const rows: string[] = [];
  let depth = 0;
  const scale = root.totalUs === 0 ? 0 : WIDTH / root.totalUs;
  const draw = (frame: Frame, x: number, level: number) => {
    const width = frame.totalUs * scale;
    if (width < SMALLEST_WIDTH || level >= MAX_DEPTH) return;
    depth = Math.max(depth, level + 1);
    rows.push(frameElement(frame, x, level, width, root.totalUs));
    let childX = x;
    for (const child of frame.children) {
      draw(child, childX, level + 1);
      childX += child.totalUs * scale;
    }
  };
  draw(root, 0, 0);
  const height = HEAD_HEIGHT + depth * ROW_HEIGHT;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeXml(title)}">
<style>${STYLE}
</style>
<rect class="background" width="${WIDTH}" height="${height}"/>
<text class="title" x="8" y="20">${escapeXml(title)}</text>
<text class="small" x="8" y="38">blue: this project; yellow: Node's library; grey: V8, system calls, garbage collection. Callers are above what they call.</text>
${rows.join('\n')}
</svg>
`;
}

function frameElement(frame: Frame, x: number, level: number, width: number, allUs: number): string {
  const y = HEAD_HEIGHT + level * ROW_HEIGHT;
  const times = `${percent(frame.totalUs, allUs)} in all, ${percent(frame.selfUs, allUs)} itself`;
  const tip = [frame.name, frame.place, times].filter((part) => part !== '').join('\n');
  const room = Math.floor((width - 4) / CHAR_WIDTH);
  const label = room < 3 ? '' : frame.name.length <= room ? frame.name : `${frame.name.slice(0, room - 1)}…`;
  const box = `x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW_HEIGHT}"`;
  const text = label === '' ? '' : `<text x="${(x + 3).toFixed(1)}" y="${y + 13}">${escapeXml(label)}</text>`;
  return `<g><title>${escapeXml(tip)}</title><rect class="${colourOf(frame)}" ${box}/>${text}</g>`;
}

function colourOf({ place }: Frame): string {
  if (place === '') return 'engine';
  return place.startsWith('node:') ? 'node' : 'ours';
}

function percent(part: number, all: number): string {
  return `${((part / all) * 100).toFixed(1)} %`;
}
