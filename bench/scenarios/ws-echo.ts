import type { Scenario } from "./scenario.ts";
import { trafficScenario } from "./traffic.ts";

/** WebSocket sessions that all have one message in flight: small messages in few and in many sessions, and large ones. */
export const wsEchoScenarios: readonly Scenario[] = [
  trafficScenario({
    name: "ws-64-1000",
    title: "WebSocket, 64 B, 1,000 sessions",
    operation: "round trip",
    loadScript: "ws-load.ts",
    payloadBytes: 64,
    connections: 1000,
    targets: { nginx: 1.15, haproxy: 1.0 },
  }),
  trafficScenario({
    name: "ws-64-5000",
    title: "WebSocket, 64 B, 5,000 sessions",
    operation: "round trip",
    loadScript: "ws-load.ts",
    payloadBytes: 64,
    connections: 5000,
    targets: { nginx: 1.05, haproxy: 1.0 },
  }),
  trafficScenario({
    name: "ws-16k-100",
    title: "WebSocket, 16 KB, 100 sessions",
    operation: "round trip",
    loadScript: "ws-load.ts",
    payloadBytes: 16_384,
    connections: 100,
    targets: { nginx: 0.4, haproxy: 0.7 },
  }),
];
