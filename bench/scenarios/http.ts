import type { Scenario } from "./scenario.ts";
import { trafficScenario } from "./traffic.ts";

/** HTTP requests on connections that are kept alive on both sides, one in flight each. */
export const httpScenario: Scenario = trafficScenario({
  name: "http-1k",
  title: "HTTP GET, 1 KB, keep-alive, 64 connections",
  operation: "request",
  loadScript: "http-load.ts",
  payloadBytes: 1024,
  connections: 64,
  targets: { nginx: 1.6, haproxy: 1.6 },
});
