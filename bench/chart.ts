import { isOurs, type Line } from './lines.js';
import { median } from './statistics.js';
import { escapeXml } from './xml.js';

const WIDTH = 760;
const LABEL_WIDTH = 170;
const VALUE_WIDTH = 110;
const BAR_WIDTH = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
const ROW_HEIGHT = 24;
const BAR_HEIGHT = 16;
const TITLE_HEIGHT = 70;
const PANEL_TITLE_HEIGHT = 34;
const FOOT_HEIGHT = 30;
const MAX_PANELS = 4;

/** Colours that can be read on white and on black, also by those who do not tell red from green. */
const STYLE = `
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 16px; font-weight: 600; }
.small { font-size: 12px; fill: #59636e; }
.value { font-variant-numeric: tabular-nums; }
.background { fill: #ffffff; }
.ours { fill: #0969da; }
.limit { fill: #6e7781; }
.rival { fill: #d4a72c; }
.spread { stroke: #1f2328; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9198a1; }
  .background { fill: #0d1117; }
  .ours { fill: #4493f8; }
  .limit { fill: #9198a1; }
  .rival { fill: #bb8009; }
  .spread { stroke: #e6edf3; }
}`;

/**
 * Bars for the lines of one scenario, a panel for each of the first four quantities: medians as bars, slowest to fastest round as a thin line.
 *
 * @param subtitles two lines at most
 * @returns a whole SVG document
 */
export function barChart(title: string, subtitles: readonly string[], lines: readonly Line[]): string {
  const quantities = [...new Set(lines.map(({ quantity }) => quantity))].slice(0, MAX_PANELS);
  const panels: string[] = [];
  let y = TITLE_HEIGHT;
  for (const quantity of quantities) {
    const bars = lines.filter((line) => line.quantity === quantity);
    panels.push(panel(bars, y));
    y += PANEL_TITLE_HEIGHT + bars.length * ROW_HEIGHT;
  }
  const height = y + FOOT_HEIGHT;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeXml(title)}">
<style>${STYLE}
</style>
<rect class="background" width="${WIDTH}" height="${height}"/>
<text class="title" x="12" y="24">${escapeXml(title)}</text>
${subtitles.map((text, index) => `<text class="small" x="12" y="${43 + index * 16}">${escapeXml(text)}</text>`).join('\n')}
${panels.join('\n')}
<text class="small" x="12" y="${height - 10}">Bars are medians; the thin line goes from the smallest to the largest round.</text>
</svg>
`;
}

function panel(bars: readonly Line[], top: number): string {
  const first = bars[0]!;
  const largest = Math.max(...bars.flatMap(({ values }) => values), Number.MIN_VALUE);
  const place = (value: number) => (LABEL_WIDTH + (Math.max(0, value) / largest) * BAR_WIDTH).toFixed(1);
  const rows = bars.map((line, index) => {
    const y = top + PANEL_TITLE_HEIGHT + index * ROW_HEIGHT - 10;
    const middle = y + BAR_HEIGHT / 2;
    const value = median(line.values);
    const width = (Number(place(value)) - LABEL_WIDTH).toFixed(1);
    const [low, high] = [Math.min(...line.values), Math.max(...line.values)];
    const spread =
      low === high ? '' : `<line class="spread" x1="${place(low)}" x2="${place(high)}" y1="${middle}" y2="${middle}"/>`;
    return [
      `<text x="${LABEL_WIDTH - 8}" y="${y + 13}" text-anchor="end">${escapeXml(line.contender)}</text>`,
      `<rect class="${colourOf(line.contender)}" x="${LABEL_WIDTH}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="2"/>`,
      spread,
      `<text class="value" x="${WIDTH - 12}" y="${y + 13}" text-anchor="end">${formatValue(value, line.digits)}</text>`,
    ].join('');
  });
  const direction = first.better === 'more' ? 'more is better' : 'less is better';
  return [
    `<text x="12" y="${top + 14}">${escapeXml(first.quantity)} <tspan class="small">(${direction})</tspan></text>`,
    ...rows,
  ].join('\n');
}

function colourOf(contender: string): string {
  if (isOurs(contender)) return 'ours';
  return contender.startsWith('limit') ? 'limit' : 'rival';
}

function formatValue(value: number, digits: number): string {
  return value.toLocaleString('en-GB', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
