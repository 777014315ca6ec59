import type { Cores, Machine } from "../measure/machine.ts";
import type { Sample, TrafficSample } from "../measure/sample.ts";
import { median, spread } from "../measure/statistics.ts";
import type { ProxyName } from "../proxies/contender.ts";
import type { RoundTiming } from "../run/round.ts";
import type { Headline, Scenario } from "../scenarios/scenario.ts";
import { percent } from "./figures.ts";

/** Everything a benchmark found out, as it is written to `results.json`. */
export type Results = {
  readonly date: string;
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly timing: RoundTiming;
  readonly machine: Machine;
  readonly cores: Cores;
  readonly versions: readonly { readonly proxy: ProxyName; readonly version: string }[];
  readonly scenarios: readonly ScenarioResult[];
};

/** What came of one scenario. */
export type ScenarioResult = {
  readonly name: string;
  readonly title: string;
  readonly operation: string;
  readonly headline: Pick<Headline, "title" | "unit" | "better">;
  /** Ours first. Proxies without a valid run are missing. */
  readonly outcomes: readonly Outcome[];
  readonly ratios: readonly Ratio[];
  /** What a reader has to know before believing the figures. */
  readonly notes: readonly string[];
};

/** What came of one proxy in one scenario. */
export type Outcome = {
  readonly proxy: ProxyName;
  /** The median of the headline over all valid runs; undefined where there is none, as without a proxy. */
  readonly value: number | undefined;
  /** Medians of each figure by itself. */
  readonly medians: Sample;
  readonly samples: readonly Sample[];
};

/** The median of our headline by the median of theirs. */
export type Ratio = {
  readonly against: ProxyName;
  readonly value: number;
  readonly target?: number;
  readonly isMet?: boolean;
};

/** One run, in the order in which they were done. */
export type Run = { readonly proxy: ProxyName; readonly sample: Sample };

/** Sums up the runs of a scenario; `remarks` are put before the notes that follow from the figures. */
export function summarize(scenario: Scenario, runs: readonly Run[], remarks: readonly string[]): ScenarioResult {
  const { name, title, operation, headline, targets } = scenario;
  const valid = runs.filter(({ sample }) => sample.failures.length === 0);
  const outcomes = Map.groupBy(valid, ({ proxy }) => proxy)
    .entries()
    .map(([proxy, of]) =>
      outcomeOf(
        proxy,
        of.map(({ sample }) => sample),
        headline,
      ),
    )
    .toArray();
  return {
    name,
    title,
    operation,
    headline: { title: headline.title, unit: headline.unit, better: headline.better },
    outcomes,
    ratios: ratiosOf(outcomes, headline, targets),
    notes: [
      ...remarks,
      ...new Set(runs.flatMap(failureNotes)),
      ...outcomes.flatMap((outcome) => notesOn(outcome, headline)),
    ],
  };
}

function outcomeOf(proxy: ProxyName, samples: readonly Sample[], headline: Headline): Outcome {
  const value = proxy === "direct" ? undefined : median(samples.map(headline.of));
  return { proxy, value, medians: mediansOf(samples), samples };
}

function ratiosOf(outcomes: readonly Outcome[], { better }: Headline, targets: Scenario["targets"]): readonly Ratio[] {
  const ours = outcomes.find(({ proxy }) => proxy === "causeway")?.value;
  if (ours === undefined) return [];
  return outcomes.flatMap(({ proxy, value }) => {
    if (proxy === "causeway" || value === undefined) return [];
    const ratio = ours / value;
    const target = targets[proxy];
    if (target === undefined) return [{ against: proxy, value: ratio }];
    return [{ against: proxy, value: ratio, target, isMet: better === "lower" ? ratio <= target : ratio >= target }];
  });
}

function mediansOf(samples: readonly Sample[]): Sample {
  const traffic = samples.filter((sample) => sample.kind === "traffic");
  const memory = samples.filter((sample) => sample.kind === "memory");
  const [first] = memory;
  if (first !== undefined) {
    return {
      ...first,
      bytesPerSession: median(memory.map((sample) => sample.bytesPerSession)),
      workerBytesPerSession: median(memory.map((sample) => sample.workerBytesPerSession)),
      bytesBefore: median(memory.map((sample) => sample.bytesBefore)),
      bytesAfter: median(memory.map((sample) => sample.bytesAfter)),
    };
  }
  return {
    kind: "traffic",
    operations: median(traffic.map((sample) => sample.operations)),
    perSecond: median(traffic.map((sample) => sample.perSecond)),
    p50Micros: median(traffic.map((sample) => sample.p50Micros)),
    p99Micros: median(traffic.map((sample) => sample.p99Micros)),
    cpuMicros: median(traffic.map((sample) => sample.cpuMicros)),
    workerCpuMicros: median(traffic.map((sample) => sample.workerCpuMicros)),
    controlCpuMicros: median(traffic.map((sample) => sample.controlCpuMicros)),
    proxyCore: median(traffic.map((sample) => sample.proxyCore)),
    loadCore: median(traffic.map((sample) => sample.loadCore)),
    foreignCore: median(traffic.map((sample) => sample.foreignCore)),
    failures: [],
  };
}

function failureNotes({ proxy, sample }: Run): readonly string[] {
  if (sample.failures.length === 0) return [];
  const failures = sample.failures.map(({ what, count }) => `${what} (${count})`).join(", ");
  return [`A run of ${proxy} is invalid and left out: ${failures}.`];
}

function notesOn({ proxy, medians, samples }: Outcome, headline: Headline): readonly string[] {
  if (proxy === "direct") return [];
  const apart = spread(samples.map(headline.of));
  return [
    ...(medians.kind === "traffic" ? trafficNotes(proxy, medians) : []),
    ...(apart > 0.15
      ? [
          `${samples.length < 4 ? `The runs of ${proxy} lie` : `The middle half of the runs of ${proxy} lies`} ${percent(apart)} apart.`,
        ]
      : []),
  ];
}

const cpuStays = "CPU time stays comparable, rate and latency do not.";

function trafficNotes(proxy: ProxyName, { loadCore, proxyCore, foreignCore }: TrafficSample): readonly string[] {
  const used = `the load's core was at ${percent(loadCore)} and that of ${proxy} at ${percent(proxyCore)}`;
  if (loadCore > 0.95 && proxyCore < 0.9) return [`The load limited ${proxy}: ${used}. ${cpuStays}`];
  if (foreignCore > 0.05) return [`While ${proxy} ran, other processes took ${percent(foreignCore)} of a core.`];
  return loadCore < 0.8 && proxyCore < 0.8
    ? [`Something else than CPU time limited ${proxy}: ${used}. ${cpuStays}`]
    : [];
}
