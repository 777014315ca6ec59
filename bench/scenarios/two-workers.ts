import type { Scenario } from "./scenario.ts";
import { trafficScenario } from "./traffic.ts";

/**
 * What a message costs with two workers by what it costs with one. Both may use both cores, which load and echo server use as well:
 * on two cores the rate says more about the load, so it is CPU time that must not grow.
 */
export const twoWorkersScenario: Scenario = trafficScenario({
  name: "two-workers",
  title: "Two workers beside one, 64 B, 1,000 sessions",
  operation: "round trip",
  loadScript: "ws-load.ts",
  payloadBytes: 64,
  connections: 1000,
  workers: 2,
  contenders: ["causeway", "one-worker"],
  isMeasuredDirectly: false,
  targets: { "one-worker": 1.05 },
});
