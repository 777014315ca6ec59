import type { Scenario } from "./scenario.ts";
import { trafficScenario } from "./traffic.ts";

const common = {
  operation: "round trip",
  loadScript: "ws-load.ts",
  tls: "full",
  // The echo server does not speak TLS, so there is nothing to measure without a proxy.
  isMeasuredDirectly: false,
} as const;

/** The same over TLS, which ends at the proxy. */
export const wssEchoScenarios: readonly Scenario[] = [
  trafficScenario({
    ...common,
    name: "wss-64-1000",
    title: "WebSocket over TLS, 64 B, 1,000 sessions",
    payloadBytes: 64,
    connections: 1000,
    targets: { nginx: 0.95, haproxy: 0.8 },
  }),
  trafficScenario({
    ...common,
    name: "wss-16k-100",
    title: "WebSocket over TLS, 16 KB, 100 sessions",
    payloadBytes: 16_384,
    connections: 100,
    targets: { nginx: 0.55, haproxy: 0.85 },
  }),
];
