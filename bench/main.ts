import { type BenchOptions, continuityName, parseArguments, usage, WrongUse } from "./arguments.ts";
import { measureContinuity } from "./continuity/continuity.ts";
import { type Cores, chooseCores, describeMachine, descriptorLimit } from "./measure/machine.ts";
import { median } from "./measure/statistics.ts";
import { allProxies } from "./proxies/all.ts";
import type { Contender } from "./proxies/contender.ts";
import { withUnit } from "./report/figures.ts";
import { type Run, type ScenarioResult, summarize } from "./report/results.ts";
import { terminalReport } from "./report/terminal.ts";
import { writeReports } from "./report/write.ts";
import { leaveNothingBehind } from "./run/leftovers.ts";
import { measureRound, rotated } from "./run/round.ts";
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
    timing: options.timing,
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

/** All rounds of one scenario, each beginning with another proxy. */
async function measureScenario(
  scenario: Scenario,
  installed: readonly Installed[],
  { rounds, timing }: BenchOptions,
  cores: Cores,
): Promise<ScenarioResult> {
  const runs: Run[] = [];
  const remarks = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    const say = (name: string, what: string) =>
      console.log(`${scenario.name}  round ${round + 1} of ${rounds}  ${name.padEnd(9)} ${what}`);
    const contenders = rotated(installed, round)
      .map(({ contender }) => contender)
      .filter(({ name }) => takesPart(name, scenario, round));
    say("", `with ${contenders.map(({ name }) => name).join(", ")}`);
    await measureRound({
      ...{ scenario, contenders, timing, cores },
      onWarm: ({ name }) => say(name, "is warm"),
      onRuns: (some) => {
        runs.push(...some);
        say(some[0].proxy, progressOf(some, scenario));
      },
      onFailed: ({ name }, error) => {
        const reason = error instanceof Error ? error.message : String(error);
        remarks.add(`${name} could not be measured: ${reason}`);
        say(name, `failed: ${reason}`);
      },
    });
  }
  const inOrder = runs.toSorted((a, b) => orderOf(a, installed) - orderOf(b, installed));
  return summarize(scenario, inOrder, [...remarks]);
}

function progressOf(runs: readonly [Run, ...Run[]], { headline, operation }: Scenario): string {
  const [{ proxy, sample }] = runs;
  const value =
    proxy === "direct" ? "" : `${withUnit(median(runs.map((run) => headline.of(run.sample))), headline.unit)}  `;
  const rates = runs.flatMap((run) => (run.sample.kind === "traffic" ? [run.sample.perSecond] : []));
  const rate = rates.length === 0 ? "" : `${Math.round(median(rates)).toLocaleString("en-US")} ${operation}s/s`;
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
