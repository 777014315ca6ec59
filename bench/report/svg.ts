import type { ProxyName } from "../proxies/contender.ts";
import { withUnit } from "./figures.ts";
import type { Outcome, Results, ScenarioResult } from "./results.ts";

const width = 920;
const margin = 24;
const gap = 28;
const columns = 2;
const panelWidth = (width - 2 * margin - gap) / columns;
const headHeight = 104;
const titleHeight = 44;
const barHeight = 18;
const barPitch = 26;
const nameWidth = 82;
const valueWidth = 150;

/** What pictures of the benchmark look like. */
// Colours for light and dark are chosen inside the picture, and it brings its own ground, so that it can be read on any page.
export const style = `
  svg { --ground: #ffffff; --edge: #d8dee6; --text: #1c2733; --faint: #5b6875; --ours: #0b7a75; --theirs: #a9b6c4; }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #12181f; --edge: #2e3945; --text: #e8edf2; --faint: #9aa7b4; --ours: #2fc4ba; --theirs: #51606f; }
  }
  text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--text); }
  .head { font-size: 19px; font-weight: 650; }
  .title { font-size: 14px; font-weight: 650; }
  .faint { fill: var(--faint); font-size: 12px; }
  .ours { font-weight: 650; }
  .ground { fill: var(--ground); stroke: var(--edge); }
  rect.ours { fill: var(--ours); }
  rect.theirs { fill: var(--theirs); }
`;

/** The results as a picture: a panel of bars for each scenario, ours first, the ratio beside each of the others. */
export function svgReport(results: Results): string {
  const panels = results.scenarios.filter(({ outcomes }) => outcomes.some(isShown));
  const rows = Array.from({ length: Math.ceil(panels.length / columns) }, (_, row) =>
    panels.slice(row * columns, (row + 1) * columns),
  );
  let y = headHeight;
  const drawn: string[] = [];
  for (const row of rows) {
    drawn.push(...row.map((panel, column) => drawPanel(panel, { x: margin + column * (panelWidth + gap), y })));
    y += Math.max(...row.map(heightOf)) + gap;
  }
  const height = y - gap + margin;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Benchmark results">`,
    `<style>${style}</style>`,
    `<rect class="ground" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="10"/>`,
    text({ x: margin, y: 38, class: "head" }, "Causeway beside other proxies, one core each"),
    text({ x: margin, y: 60, class: "faint" }, machineText(results)),
    text({ x: margin, y: 77, class: "faint" }, proxiesText(results)),
    ...drawn,
    "</svg>",
    "",
  ].join("\n");
}

/** Text that can stand in an SVG document, in an attribute or between tags. */
export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&apos;");
}

function machineText({ date, machine, rounds, isQuick }: Results): string {
  const runs = isQuick ? "a quick run, not for comparison" : `medians of ${rounds}; ratios are ours / theirs`;
  return `${date.slice(0, 10)}, ${machine.cpu}, ${machine.kernel}; ${runs}`;
}

function proxiesText({ versions }: Results): string {
  const proxies = versions.filter(({ proxy }) => proxy !== "direct");
  return proxies.map(({ proxy, version }) => `${proxy} ${version}`).join(", ");
}

function isShown({ value }: Outcome): boolean {
  return value !== undefined && Number.isFinite(value);
}

function heightOf({ outcomes }: ScenarioResult): number {
  return titleHeight + outcomes.filter(isShown).length * barPitch;
}

function drawPanel(panel: ScenarioResult, at: { readonly x: number; readonly y: number }): string {
  const shown = panel.outcomes.filter(isShown);
  const longest = Math.max(...shown.map(({ value = 0 }) => value));
  const perOperation = panel.headline.unit === "µs" ? ` per ${panel.operation}` : "";
  return [
    `<g transform="translate(${at.x} ${at.y})">`,
    text({ x: 0, y: 14, class: "title" }, panel.title),
    text({ x: 0, y: 32, class: "faint" }, `${panel.headline.title}${perOperation}, ${panel.headline.better} is better`),
    ...shown.map((outcome, index) => drawBar(panel, outcome, { y: titleHeight + index * barPitch, longest })),
    "</g>",
  ].join("\n");
}

function drawBar(
  panel: ScenarioResult,
  outcome: Outcome,
  at: { readonly y: number; readonly longest: number },
): string {
  const { proxy, value = 0 } = outcome;
  const length = Math.max(2, Math.round((Math.max(0, value) / at.longest) * (panelWidth - nameWidth - valueWidth)));
  const baseline = at.y + 13;
  const kind = proxy === "causeway" ? "ours" : "theirs";
  return [
    text({ x: 0, y: baseline, class: kind }, proxy),
    `<rect class="${kind}" x="${nameWidth}" y="${at.y}" width="${length}" height="${barHeight}" rx="3"/>`,
    text(
      { x: nameWidth + length + 8, y: baseline, class: kind },
      withUnit(value, panel.headline.unit) + ratioTo(panel, proxy),
    ),
  ].join("\n");
}

function ratioTo({ ratios }: ScenarioResult, proxy: ProxyName): string {
  const ratio = ratios.find(({ against }) => against === proxy);
  return ratio === undefined ? "" : `  (ratio ${ratio.value.toFixed(2)})`;
}

/** One line of text. */
export function text(at: { readonly x: number; readonly y: number; readonly class: string }, content: string): string {
  return `<text x="${at.x}" y="${at.y}" class="${at.class}">${escapeXml(content)}</text>`;
}
