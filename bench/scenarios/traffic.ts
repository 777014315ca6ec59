import type { Failure, Sample, TrafficSample } from "../measure/sample.ts";
import type { Rig } from "../run/rig.ts";
import type { Headline, Scenario, Timing } from "./scenario.ts";

/** CPU time of all the proxy's processes for one operation. */
export const cpuPerOperation: Headline = {
  title: "CPU time",
  unit: "µs",
  better: "lower",
  of: (sample) => (sample.kind === "traffic" ? sample.cpuMicros : Number.NaN),
};

/** Opens connections, warms up, measures, and ends them politely. */
export async function measureTraffic(rig: Rig, { connections }: Scenario, timing: Timing): Promise<TrafficSample> {
  await rig.load.obey({ do: "open", count: connections });
  const measurement = { ...timing, watched: rig.watched, cores: rig.cores };
  const { sample } = await rig.load.obey({ do: "run", measurement });
  // Failures are counted over the whole life of the load, so those of the end include all others.
  const { failures } = await rig.load.obey({ do: "close" });
  return { ...sample, failures: sample.operations === 0 ? [...failures, nothingDone] : failures };
}

const nothingDone: Failure = { what: "nothing came back", count: 1 };

/** A scenario under traffic whose headline is the CPU time per operation. */
export function trafficScenario(
  parts: Omit<Scenario, "headline" | "isMeasuredDirectly" | "measure"> &
    Partial<Pick<Scenario, "headline" | "isMeasuredDirectly">>,
): Scenario {
  const scenario: Scenario = {
    headline: cpuPerOperation,
    isMeasuredDirectly: true,
    measure: (rig, timing): Promise<Sample> => measureTraffic(rig, scenario, timing),
    ...parts,
  };
  return scenario;
}
