import { causeway } from "../proxies/causeway.ts";
import { tlsTerms } from "../run/tls-files.ts";
import type { Results, ScenarioResult } from "./results.ts";
import { figuresTable, markdownTable, ratioTable } from "./table.ts";

/** The report as a page, with the picture `results.svg` beside it. */
export function markdownReport(results: Results): string {
  return [
    "# Benchmark results",
    "Written by `npm run bench`; do not edit.",
    "## Ratios",
    "Our median by theirs, from runs in turn on one machine. In parentheses what is to be reached.",
    markdownTable(ratioTable(results)),
    "![Bars for every scenario and proxy](results.svg)",
    "## Machine and method",
    machineText(results),
    methodText(results),
    "## Figures",
    ...results.scenarios.map(scenarioText),
    "",
  ]
    .join("\n\n")
    .trimEnd()
    .concat("\n");
}

function machineText({ machine, versions, date }: Results): string {
  const memory = `${Math.round(machine.memory / 1024 ** 3)} GB`;
  const proxies = versions
    .filter(({ proxy }) => proxy !== "direct")
    .map(({ proxy, version }) => `${proxy} ${version}`)
    .join(", ");
  return `${date.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores, ${memory}, ${machine.kernel}; ${proxies}; Bun ${machine.bun}.`;
}

function methodText({ rounds, timing: { warmupMs, windows, windowMs }, isQuick, cores }: Results): string {
  const seconds = (ms: number) => `${ms / 1000} s`;
  return [
    `- Each proxy has one worker unless said otherwise, and runs with all its processes on core ${cores.proxy}; load and echo server share core ${cores.load}.`,
    `- ${counted(rounds, "round")} with fresh processes, and in each ${seconds(warmupMs)} of warm-up (Causeway, which is compiled while it runs: ${seconds(warmupMs * causeway.warmupFactor)}). Then all proxies are up, and ${counted(windows, "window")} of ${seconds(windowMs)} come in turn, every time beginning with another proxy. Where memory is measured, only one proxy is up.`,
    "- Medians over all windows. CPU time is that of all processes of a proxy, of ours the control process included, from `/proc`.",
    `- TLS ends at the proxy: ${tlsTerms.version}, ${tlsTerms.cipher}, ${tlsTerms.group}, an ECDSA P-256 certificate; the echo server speaks in the clear. Connections that resume all offer the session of the first one.`,
    '- "one-worker" is Causeway with one worker, beside itself with two; both may use both cores, and so do load and echo server.',
    "- Access logs are off, and buffers have the size each proxy gives them by default.",
    "- Every session has one message in flight. Every echo and every response is compared with what was sent; a run with an error is left out.",
    "- Memory is what the resident memory grew by, divided by the sessions, each of which has echoed one message. Before, others came and went (1,000, over TLS 100), so that what a first session loads or compiles is not counted. What the kernel keeps for a socket is not in it.",
    ...(isQuick
      ? ["- This was a quick run: it shows that everything works, and its figures are not for comparison."]
      : []),
  ].join("\n");
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}

function scenarioText(scenario: ScenarioResult): string {
  const notes = scenario.notes.map((note) => `- ${note}`).join("\n");
  const parts = [
    `### ${scenario.title}`,
    `\`npm run bench -- ${scenario.name}\``,
    markdownTable(figuresTable(scenario)),
  ];
  return [...parts, ...(notes === "" ? [] : [notes])].join("\n\n");
}
