import type { Cores } from "../measure/machine.ts";
import type { Failure, Sample } from "../measure/sample.ts";
import type { Contender } from "../proxies/contender.ts";
import type { Run } from "../report/results.ts";
import type { InTurn, Scenario } from "../scenarios/scenario.ts";
import { Rig } from "./rig.ts";

/** How long a round takes each proxy to warm up, and how often and how long it is measured (ms). */
export type RoundTiming = { readonly warmupMs: number; readonly windows: number; readonly windowMs: number };

/** One round: every contender is measured, in this order. */
export type Round = {
  readonly scenario: Scenario;
  readonly contenders: readonly Contender[];
  readonly timing: RoundTiming;
  readonly cores: Cores;
  /** Hears that a proxy is up and has warmed up. */
  readonly onWarm: (contender: Contender) => void;
  /** Hears what came of a proxy: one run for each window. */
  readonly onRuns: (runs: readonly [Run, ...Run[]]) => void;
  readonly onFailed: (contender: Contender, error: unknown) => void;
};

/** A proxy that is up and has warmed up. */
type Entrant = {
  readonly contender: Contender;
  readonly rig: Rig;
  readonly samples: Sample[];
  /** Why it takes no further part. */
  failure: { readonly error: unknown } | undefined;
};

/** Before each window, when the processor's caches are another proxy's (ms). */
const windowWarmupMs = 200;

/** Measures every contender with fresh processes. */
export async function measureRound(round: Round): Promise<void> {
  const { measurement } = round.scenario;
  if (measurement.kind === "in turn") return measureInTurn(round, measurement);
  for (const contender of round.contenders) {
    try {
      await using rig = await openRig(round, contender);
      round.onRuns([{ proxy: contender.name, sample: await measurement.measure(rig) }]);
    } catch (error) {
      round.onFailed(contender, error);
    }
  }
}

/**
 * All proxies are up at once and take turns in short windows: what other machines of the same host do within a second hits all alike. A proxy
 * without load takes nothing from the one that is measured.
 */
async function measureInTurn(round: Round, measurement: InTurn): Promise<void> {
  await using owned = new AsyncDisposableStack();
  const entrants = await open(round, measurement, owned);
  const { windows, windowMs } = round.timing;
  const timing = { warmupMs: windowWarmupMs, measureMs: windowMs };
  for (let window = 0; window < windows; window++) {
    for (const entrant of rotated(entrants, window)) {
      await attempt(entrant, async () => {
        const sample = await measurement.window(entrant.rig, timing);
        if (sample.kind === "traffic" && sample.operations === 0) throw nothingCameBack(sample.failures);
        entrant.samples.push(sample);
      });
    }
  }
  for (const entrant of entrants) {
    await attempt(entrant, async () => tellRuns(round, entrant, await measurement.close(entrant.rig)));
    if (entrant.failure !== undefined) round.onFailed(entrant.contender, entrant.failure.error);
  }
}

async function open(round: Round, measurement: InTurn, owned: AsyncDisposableStack): Promise<readonly Entrant[]> {
  const entrants: Entrant[] = [];
  for (const contender of round.contenders) {
    try {
      await using opened = new AsyncDisposableStack();
      const rig = opened.use(await openRig(round, contender));
      const warmupMs = round.timing.warmupMs * contender.warmupFactor;
      await measurement.open(rig);
      await measurement.window(rig, { warmupMs, measureMs: 1 });
      owned.use(opened.move());
      entrants.push({ contender, rig, samples: [], failure: undefined });
      round.onWarm(contender);
    } catch (error) {
      round.onFailed(contender, error);
    }
  }
  return entrants;
}

function openRig({ cores, scenario }: Round, proxy: Contender): Promise<Rig> {
  return Rig.open({ proxy, cores, scenario });
}

async function attempt(entrant: Entrant, act: () => Promise<void>): Promise<void> {
  if (entrant.failure !== undefined) return;
  try {
    await act();
  } catch (error) {
    entrant.failure = { error };
    // Whatever it is doing now, it shall not do it beside the others.
    await entrant.rig[Symbol.asyncDispose]();
  }
}

function nothingCameBack(failures: readonly Failure[]): Error {
  const counts = failures.map(({ what, count }) => `${what} (${count})`);
  return new Error(["nothing came back", ...counts].join(", "));
}

/** Failures are counted over the whole life of the load, so those of its end concern all windows. */
function tellRuns({ onRuns }: Round, { contender, samples }: Entrant, failures: readonly Failure[]): void {
  const [first, ...others] = samples.map((sample): Run => ({ proxy: contender.name, sample: { ...sample, failures } }));
  if (first !== undefined) onRuns([first, ...others]);
}

/** The same, beginning with another one each time. */
export function rotated<Item>(items: readonly Item[], by: number): readonly Item[] {
  const first = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
