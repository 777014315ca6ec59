import type { Headline, InTurn, Scenario } from "./scenario.ts";

/** CPU time of all the proxy's processes for one operation. */
export const cpuPerOperation: Headline = {
  title: "CPU time",
  unit: "µs",
  better: "lower",
  of: (sample) => (sample.kind === "traffic" ? sample.cpuMicros : Number.NaN),
};

/** As many connections as the scenario has, under load in every window. */
function trafficIn(connections: number): InTurn {
  return {
    kind: "in turn",
    async open(rig) {
      await rig.load.obey({ do: "open", count: connections });
    },
    async window(rig, timing) {
      const measurement = { ...timing, watched: rig.watched, cores: rig.cores };
      return (await rig.load.obey({ do: "run", measurement })).sample;
    },
    async close(rig) {
      return (await rig.load.obey({ do: "close" })).failures;
    },
  };
}

/** A scenario under traffic whose headline is the CPU time per operation. */
export function trafficScenario(
  parts: Omit<Scenario, "headline" | "isMeasuredDirectly" | "measurement"> &
    Partial<Pick<Scenario, "headline" | "isMeasuredDirectly">>,
): Scenario {
  const measurement = trafficIn(parts.connections);
  return { headline: cpuPerOperation, isMeasuredDirectly: true, measurement, ...parts };
}
