import type { Sample } from "../measure/sample.ts";
import { type ProxyName, proxyNames } from "../proxies/contender.ts";
import { figure, percent, ratioText, withUnit } from "./figures.ts";
import type { Outcome, Results, ScenarioResult } from "./results.ts";

/** A table: its head and its rows, each as long as the head. The first column is text, all others are figures. */
export type Table = { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };

/** A table for a terminal, its columns aligned. */
export function terminalTable({ head, rows }: Table): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return [line(head), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}

/** The same table in Markdown. */
export function markdownTable({ head, rows }: Table): string {
  const line = (row: readonly string[]) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** Our medians by theirs, a row for each scenario. */
export function ratioTable({ scenarios }: Results): Table {
  const others = proxyNames.filter((name) =>
    scenarios.some(({ ratios }) => ratios.some(({ against }) => against === name)),
  );
  return {
    head: ["causeway / other", "better", ...others],
    rows: scenarios.map(({ name, headline, ratios }) => [
      `${name}: ${headline.title}`,
      headline.better,
      ...others.map((other) => {
        const ratio = ratios.find(({ against }) => against === other);
        return ratio === undefined ? "-" : ratioText(ratio, headline.better);
      }),
    ]),
  };
}

/** The medians of a scenario, a row for each proxy. */
export function figuresTable(scenario: ScenarioResult): Table {
  const isMemory = scenario.outcomes.some(({ medians }) => medians.kind === "memory");
  return {
    head: isMemory ? memoryHead : trafficHead(scenario),
    rows: scenario.outcomes.map((outcome) => [label(outcome.proxy), ...cells(outcome, scenario)]),
  };
}

const memoryHead = ["", "per session", "in workers", "before", "with sessions"];

function trafficHead({ headline, operation }: ScenarioResult): readonly string[] {
  const cpu = `CPU µs per ${operation}`;
  const first = headline.unit === "µs" ? [cpu] : [headline.title, cpu];
  return ["", ...first, "worker + control", `${operation}s/s`, "p50 ms", "p99 ms", "its core", "load's core"];
}

function cells({ medians, value }: Outcome, { headline }: ScenarioResult): readonly string[] {
  if (medians.kind === "memory") return memoryCells(medians);
  const { cpuMicros, workerCpuMicros, controlCpuMicros, proxyCore } = medians;
  const isProxy = value !== undefined;
  const first = headline.unit === "µs" ? [] : [isProxy ? withUnit(value, headline.unit) : "-"];
  return [
    ...first,
    isProxy ? figure(cpuMicros) : "-",
    isProxy ? `${figure(workerCpuMicros)} + ${figure(controlCpuMicros)}` : "-",
    figure(medians.perSecond),
    figure(medians.p50Micros / 1000),
    figure(medians.p99Micros / 1000),
    isProxy ? percent(proxyCore) : "-",
    percent(medians.loadCore),
  ];
}

function memoryCells(medians: Extract<Sample, { kind: "memory" }>): readonly string[] {
  const megabytes = (bytes: number) => `${figure(bytes / 1024 ** 2)} MB`;
  return [
    withUnit(medians.bytesPerSession, "bytes"),
    withUnit(medians.workerBytesPerSession, "bytes"),
    megabytes(medians.bytesBefore),
    megabytes(medians.bytesAfter),
  ];
}

function label(proxy: ProxyName): string {
  return proxy === "direct" ? "no proxy" : proxy;
}
