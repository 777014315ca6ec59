import { type BenchOptions, continuityName, parseArguments, usage, WrongUse } from "./arguments.ts";
import { measureContinuity } from "./continuity/continuity.ts";
import { type Cores, chooseCores, describeMachine, descriptorLimit } from "./measure/machine.ts";
import { allProxies } from "./proxies/all.ts";
import type { Contender } from "./proxies/contender.ts";
import { withUnit } from "./report/figures.ts";
import { type Run, type ScenarioResult, summarize } from "./report/results.ts";
import { terminalReport } from "./report/terminal.ts";
import { writeReports } from "./report/write.ts";
import { leaveNothingBehind } from "./run/leftovers.ts";
import { Rig } from "./run/rig.ts";
import { allScenarios } from "./scenarios/all.ts";
import { descriptorsFor, type Scenario, takesPart } from "./scenarios/scenario.ts";

type Installed = { readonly contender: Contender; readonly version: string };

/** Measures what was asked for and returns the exit code: 0 fine, 1 something could not be measured, 2 wrong use. */
async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  const cores = chooseCores();
  if (cores === undefined || Bun.which("taskset") === null) {
    console.error("bench: two cores are needed, and `taskset` (package util-linux) to give the proxy one for itself");
    return 1;
  }
  leaveNothingBehind();
  if (options.scenarios.includes(continuityName)) return measureContinuity(options, cores);

  const installed = await findInstalled(options);
  const scenarios = allScenarios.filter(
    ({ name }) => options.scenarios.length === 0 || options.scenarios.includes(name),
  );
  const measured: ScenarioResult[] = [];
  for (const scenario of scenarios.filter(hasDescriptors)) {
    measured.push(await measureScenario(scenario, installed, options, cores));
  }

  const results = {
    date: new Date().toISOString(),
    isQuick: options.isQuick,
    rounds: options.rounds,
    warmupMs: options.warmupMs,
    measureMs: options.measureMs,
    machine: describeMachine(),
    cores,
    versions: installed
      .filter(({ contender }) => contender.name !== "one-worker")
      .map(({ contender, version }) => ({ proxy: contender.name, version })),
    scenarios: measured,
  };
  console.log(`\n${terminalReport(results)}`);
  if (options.out !== undefined) {
    await writeReports(results, options.out);
    console.log(`written: ${options.out}/results.json, results.md, results.svg`);
  }
  return isComplete(scenarios, measured, installed) ? 0 : 1;
}

function readOptions(): BenchOptions | undefined {
  try {
    return parseArguments(
      Bun.argv.slice(2),
      allScenarios.map(({ name }) => name),
    );
  } catch (error) {
    if (!(error instanceof WrongUse)) throw error;
    console.error(`bench: ${error.message}\n\n${usage}\nscenarios:`);
    for (const { name, title } of allScenarios) console.error(`  ${name.padEnd(14)} ${title}`);
    return undefined;
  }
}

async function findInstalled({ proxies }: BenchOptions): Promise<readonly Installed[]> {
  const found: Installed[] = [];
  for (const contender of allProxies.filter(({ name }) => proxies.includes(name))) {
    const version = await contender.version();
    if (version === undefined) console.log(`${contender.name} is not installed and left out`);
    else found.push({ contender, version });
  }
  return found;
}

function hasDescriptors(scenario: Scenario): boolean {
  const [needed, limit] = [descriptorsFor(scenario), descriptorLimit()];
  if (needed <= limit) return true;
  console.log(
    `${scenario.name} needs ${needed} descriptors in one process and is left out: the hard limit (ulimit -Hn) is ${limit}`,
  );
  return false;
}

/** All rounds of one scenario. In each the proxies take turns, every time from another one on, so that a drift of the machine hits all alike. */
async function measureScenario(
  scenario: Scenario,
  installed: readonly Installed[],
  options: BenchOptions,
  cores: Cores,
): Promise<ScenarioResult> {
  const runs: Run[] = [];
  const remarks = new Set<string>();
  for (let round = 0; round < options.rounds; round++) {
    for (const { contender } of turns(installed, round).filter(({ contender }) =>
      takesPart(contender.name, scenario, round),
    )) {
      try {
        const run = await measureOnce(scenario, contender, options, cores);
        runs.push(run);
        console.log(
          `${scenario.name}  round ${round + 1} of ${options.rounds}  ${contender.name.padEnd(9)} ${progressOf(run, scenario)}`,
        );
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        remarks.add(`${contender.name} could not be measured: ${reason}`);
        console.log(
          `${scenario.name}  round ${round + 1} of ${options.rounds}  ${contender.name.padEnd(9)} failed: ${reason}`,
        );
      }
    }
  }
  const inOrder = runs.toSorted((a, b) => orderOf(a, installed) - orderOf(b, installed));
  return summarize(scenario, inOrder, [...remarks]);
}

async function measureOnce(scenario: Scenario, proxy: Contender, timing: BenchOptions, cores: Cores): Promise<Run> {
  await using rig = await Rig.open({ proxy, cores, scenario });
  const { measureMs } = timing;
  const warmupMs = timing.warmupMs * proxy.warmupFactor;
  return { proxy: proxy.name, sample: await scenario.measure(rig, { warmupMs, measureMs }) };
}

function turns(installed: readonly Installed[], round: number): readonly Installed[] {
  const first = installed.length === 0 ? 0 : round % installed.length;
  return [...installed.slice(first), ...installed.slice(0, first)];
}

function progressOf({ proxy, sample }: Run, { headline, operation }: Scenario): string {
  const value = proxy === "direct" ? "" : `${withUnit(headline.of(sample), headline.unit)}  `;
  const rate =
    sample.kind === "traffic" ? `${Math.round(sample.perSecond).toLocaleString("en-US")} ${operation}s/s` : "";
  const failures = sample.failures.map(({ what, count }) => `  ${what} (${count})`).join("");
  return `${value}${rate}${failures === "" ? "" : `  INVALID:${failures}`}`.trimEnd();
}

function orderOf({ proxy }: Run, installed: readonly Installed[]): number {
  return installed.findIndex(({ contender }) => contender.name === proxy);
}

/** Was there anything to measure, and has every proxy a valid run in every scenario it takes part in? */
function isComplete(
  scenarios: readonly Scenario[],
  measured: readonly ScenarioResult[],
  installed: readonly Installed[],
): boolean {
  if (installed.length === 0) return false;
  return scenarios.every((scenario) => {
    const outcomes = measured.find(({ name }) => name === scenario.name)?.outcomes ?? [];
    const expected = installed.filter(({ contender }) => takesPart(contender.name, scenario, 0));
    return expected.every(({ contender }) => outcomes.some(({ proxy }) => proxy === contender.name));
  });
}

process.exit(await main());
