import type { Findings, Load } from "./load.ts";
import type { Rest, Watch } from "./watch.ts";

/** Writes a line. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

type Progress = {
  readonly name: string;
  readonly elapsedMs: number;
  readonly loads: readonly Load[];
  readonly watch: Watch;
  readonly findings: Findings;
};

/** One line on where it stands. */
export function sayProgress({ name, elapsedMs, loads, watch, findings }: Progress): void {
  const done = loads.map((load) => `${load.done} ${load.name}`).join(", ");
  const { latest } = watch;
  const held = latest === undefined ? "" : `; ${latest.sessions} sessions, ${megabytes(latest.memory)}`;
  const found = findings.count === 0 ? "" : `; ${findings.count} FINDINGS, the last: ${findings.texts.at(-1)}`;
  say(`${name} ${Math.round(elapsedMs / 1000)} s: ${done}${held}${found}`);
}

type Summary = {
  readonly loads: readonly Load[];
  readonly cells: number;
  readonly before: Rest;
  readonly after: Rest;
  readonly watch: Watch;
  readonly findings: Findings;
};

/** What it has come to. */
export function saySummary({ loads, cells, before, after, watch, findings }: Summary): void {
  say("");
  for (const load of loads) say(`${String(load.done).padStart(10)} ${load.name}`);
  say(`           (the matrix has ${cells} cells; the gateway was looked at ${watch.looks} times)`);
  say("");
  say("                       after the warm-up      at the end");
  const row = (name: string, one: string, two: string): void =>
    say(`${name.padEnd(22)}${one.padStart(18)}${two.padStart(16)}`);
  for (const key of ["descriptors", "sessions", "connections", "sockets", "timers"] as const)
    row(key, String(before.holdings[key]), String(after.holdings[key]));
  row("memory, worker", megabytes(before.workerMemory), megabytes(after.workerMemory));
  row("memory, control", megabytes(before.controlMemory), megabytes(after.controlMemory));
  say(`the worker had ${megabytes(watch.mostMemory)} at most`);
  say("");
  for (const text of findings.texts) say(`found: ${text}`);
  if (findings.count > findings.texts.length) say(`and ${findings.count - findings.texts.length} more`);
  say(findings.count === 0 ? "the soak passed" : `the soak FAILED: ${findings.count} findings`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
