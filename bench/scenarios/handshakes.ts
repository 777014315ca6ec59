import type { Headline, Scenario } from "./scenario.ts";
import { trafficScenario } from "./traffic.ts";

/**
 * Whoever makes the load works as hard as the proxy here, so the headline is what one second of the proxy's CPU time yields, and the
 * rate that was reached stands beside it.
 */
const perCpuSecond: Headline = {
  title: "handshakes per second of CPU time",
  unit: "per second",
  better: "higher",
  of: (sample) => (sample.kind === "traffic" ? 1e6 / sample.cpuMicros : Number.NaN),
};

const common = {
  operation: "handshake",
  loadScript: "handshake-load.ts",
  payloadBytes: 64,
  connections: 64,
  headline: perCpuSecond,
} as const;

/** WebSocket handshakes, each on a connection of its own that is closed again, 64 at once. */
export const handshakesScenario: Scenario = trafficScenario({
  ...common,
  name: "handshakes",
  title: "WebSocket handshakes, 64 at once",
  targets: { nginx: 0.65, haproxy: 0.6 },
});

/** The same over TLS, with a full TLS handshake each time, and with one that resumes an earlier session. */
export const tlsHandshakesScenarios: readonly Scenario[] = [
  trafficScenario({
    ...common,
    name: "tls-handshakes",
    title: "Full TLS 1.3 and WebSocket handshakes, 64 at once",
    tls: "full",
    isMeasuredDirectly: false,
    targets: { nginx: 0.9, haproxy: 0.9 },
  }),
  trafficScenario({
    ...common,
    name: "tls-resumed",
    title: "Resumed TLS 1.3 and WebSocket handshakes, 64",
    tls: "resumed",
    isMeasuredDirectly: false,
    targets: { nginx: 0.8, haproxy: 0.8 },
  }),
];
