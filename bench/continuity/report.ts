import type { Machine } from "../measure/machine.ts";
import { escapeXml, style, text } from "../report/svg.ts";
import { markdownTable } from "../report/table.ts";
import type { Followed, Pace } from "./follow.ts";

/** Everything that was found out, as it is written to `continuity.json`. */
export type Continuity = {
  readonly date: string;
  readonly isQuick: boolean;
  readonly pace: Pace;
  readonly machine: Machine;
  readonly versions: readonly string[];
  readonly gateways: readonly Followed[];
};

/** Lost sessions, failed handshakes and the longest wait, for each gateway and each thing that was done to it. */
export function continuityTable(gateways: readonly Followed[]): Parameters<typeof markdownTable>[0] {
  const rows = gateways.flatMap(({ title, deeds }) =>
    deeds.map(({ kind, lost, refused, longestMs, processes }) => [
      `${title}: ${kind}`,
      String(lost),
      String(refused),
      `${Math.round(longestMs)} ms`,
      String(processes),
    ]),
  );
  return { head: ["", "sessions lost", "handshakes failed", "longest echo", "processes after"], rows };
}

/** The report as a page, with the picture beside it. */
export function continuityPage(continuity: Continuity): string {
  const { date, isQuick, pace, machine, versions, gateways } = continuity;
  const notes = gateways.flatMap(({ title, notes }) => notes.map((note) => `- ${title}: ${note}`));
  return [
    "# Continuity",
    "Written by `npm run bench -- continuity`; do not edit.",
    "![Messages per second and open sessions over time](continuity.svg)",
    markdownTable(continuityTable(gateways)),
    `${date.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores, ${machine.kernel}; ${versions.join(", ")}.`,
    ...(notes.length === 0 ? [] : [notes.join("\n")]),
    [
      `- ${pace.sessions} sessions send 64 bytes every 100 ms through a gateway with two workers or threads, and compare every echo. A session that is lost is opened again after 50 to 250 ms.`,
      "- A reload puts another configuration into force: the file is saved (Causeway), SIGHUP (nginx), SIGUSR2 to the master process (HAProxy, with `-W`).",
      "- The worker that is killed is the one with most sessions, with SIGKILL.",
      "- An upgrade puts new processes of the program in the place of the old ones: `causeway upgrade`; SIGUSR2, then SIGQUIT to the old master (nginx); SIGUSR2 to the master, which executes its program anew (HAProxy).",
      `- nginx and HAProxy leave old processes to their sessions for as long as these last, so that each reload and each upgrade adds some. Where that is limited (\`worker_shutdown_timeout\`, \`hard-stop-after\`; ${pace.oldStaysSeconds} s here), they end with their sessions.`,
      "- The longest echo is that of a message which came back; what a lost session was waiting for did not.",
      ...(isQuick ? ["- This was a quick run: it shows that everything works."] : []),
    ].join("\n"),
    "",
  ]
    .join("\n\n")
    .trimEnd()
    .concat("\n");
}

const width = 920;
const margin = 24;
const gap = 36;
const panelWidth = (width - 2 * margin - gap) / 2;
const panelHeight = 74;
const rowHeight = 148;
const headHeight = 92;

const lines = `
  .line { fill: none; stroke: var(--ours); stroke-width: 1.6; }
  .axis { stroke: var(--edge); }
  .deed { stroke: var(--faint); stroke-dasharray: 3 3; }
  .small { font-size: 11px; fill: var(--faint); }
`;

/** The picture: a row for each gateway, messages per second beside open sessions, and a dashed line for each thing that was done. */
export function continuityPicture({ date, pace, machine, gateways }: Continuity): string {
  const height = headHeight + gateways.length * rowHeight;
  const subtitle = `${date.slice(0, 10)}, ${machine.cpu}; ${pace.sessions} sessions, each with a message every 100 ms; two workers each`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Messages and open sessions over time">`,
    `<style>${style}${lines}</style>`,
    `<rect class="ground" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="10"/>`,
    text({ x: margin, y: 38, class: "head" }, "Across a reload, a killed worker and an upgrade"),
    text({ x: margin, y: 60, class: "faint" }, subtitle),
    ...gateways.map((gateway, index) => row(gateway, headHeight + index * rowHeight)),
    "</svg>",
    "",
  ].join("\n");
}

function row(gateway: Followed, y: number): string {
  const { bucketMs, buckets } = gateway.timeline;
  const rates = buckets.map(({ messages }) => (messages * 1000) / bucketMs);
  const lost = gateway.deeds.map(({ kind, lost }) => `${kind} ${lost}`).join(", ");
  return [
    `<g transform="translate(${margin} ${y})">`,
    text({ x: 0, y: 4, class: "title" }, gateway.title),
    text(
      { x: panelWidth + gap, y: 4, class: "faint" },
      `lost: ${lost}; ${gateway.deeds.at(-1)?.processes ?? 0} processes`,
    ),
    panel({ values: rates, gateway, name: "messages per second", x: 0 }),
    panel({ values: buckets.map(({ open }) => open), gateway, name: "open sessions", x: panelWidth + gap }),
    "</g>",
  ].join("\n");
}

type Panel = {
  readonly values: readonly number[];
  readonly gateway: Followed;
  readonly name: string;
  readonly x: number;
};

function panel({ values, gateway, name, x }: Panel): string {
  const highest = Math.max(1, ...values) * 1.1;
  const acrossOf = (index: number) => (((index + 0.5) / values.length) * panelWidth).toFixed(1);
  const points = values.map((value, index) => `${acrossOf(index)},${(panelHeight * (1 - value / highest)).toFixed(1)}`);
  const { bucketMs, buckets } = gateway.timeline;
  const deeds = gateway.deeds.map(({ kind, atMs }) => {
    const across = Math.round((atMs / (bucketMs * buckets.length)) * panelWidth);
    return [
      `<line class="deed" x1="${across}" x2="${across}" y1="0" y2="${panelHeight}"/>`,
      text({ x: across + 3, y: panelHeight + 14, class: "small" }, kind),
    ].join("\n");
  });
  return [
    `<g transform="translate(${x} 16)">`,
    `<title>${escapeXml(`${gateway.title}: ${name}`)}</title>`,
    `<line class="axis" x1="0" x2="${panelWidth}" y1="${panelHeight}" y2="${panelHeight}"/>`,
    ...deeds,
    `<polyline class="line" points="${points.join(" ")}"/>`,
    text({ x: 0, y: panelHeight + 30, class: "small" }, `${name}, most ${Math.max(...values).toLocaleString("en-US")}`),
    "</g>",
  ].join("\n");
}
