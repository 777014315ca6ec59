import type { Scenario } from "./scenario.ts";
import { trafficScenario } from "./traffic.ts";

/**
 * WebSocket handshakes, each on a connection of its own that is closed again, 64 at once. Whoever makes the load works as hard as
 * the proxy here, so the headline is what one second of the proxy's CPU time yields, and the rate that was reached stands beside it.
 */
export const handshakesScenario: Scenario = trafficScenario({
  name: "handshakes",
  title: "WebSocket handshakes, 64 at once",
  operation: "handshake",
  loadScript: "handshake-load.ts",
  payloadBytes: 64,
  connections: 64,
  headline: {
    title: "handshakes per second of CPU time",
    unit: "per second",
    better: "higher",
    of: (sample) => (sample.kind === "traffic" ? 1e6 / sample.cpuMicros : Number.NaN),
  },
  targets: { nginx: 0.65, haproxy: 0.6 },
});
