import type { MemorySample, TrafficSample } from "../measure/sample.ts";
import type { ProxyName } from "../proxies/contender.ts";
import { handshakesScenario } from "../scenarios/handshakes.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import { trafficScenario } from "../scenarios/traffic.ts";
import { type Results, type Run, summarize } from "./results.ts";

/** For tests: a scenario whose headline is CPU time, with a target against nginx alone. */
export const wsScenario: Scenario = trafficScenario({
  name: "ws",
  title: "WebSocket <64 B> & more",
  operation: "round trip",
  loadScript: "ws-load.ts",
  payloadBytes: 64,
  connections: 10,
  targets: { nginx: 1.15 },
});

/** For tests: a scenario in which more is better. */
export const handshakeScenario: Scenario = handshakesScenario;

/** For tests: a run without errors on two full cores, but for the given figures. */
export function trafficSample(parts: Partial<TrafficSample>): TrafficSample {
  const cpuMicros = parts.cpuMicros ?? 10;
  return {
    kind: "traffic",
    operations: 100_000,
    perSecond: 50_000,
    p50Micros: 900,
    p99Micros: 2500,
    cpuMicros,
    workerCpuMicros: cpuMicros,
    controlCpuMicros: 0,
    proxyCore: 0.97,
    loadCore: 0.97,
    foreignCore: 0,
    failures: [],
    ...parts,
  };
}

/** For tests: a run with 5,000 idle sessions. */
export function memorySample(bytesPerSession: number): MemorySample {
  return {
    kind: "memory",
    sessions: 5000,
    bytesPerSession,
    workerBytesPerSession: bytesPerSession,
    bytesBefore: 10_000_000,
    bytesAfter: 10_000_000 + 5000 * bytesPerSession,
    failures: [],
  };
}

/** For tests: a run of one proxy under traffic. */
export function run(proxy: ProxyName, parts: Partial<TrafficSample>): Run {
  return { proxy, sample: trafficSample(parts) };
}

/** For tests: results of one scenario on an invented machine. */
export function someResults(runs: readonly Run[]): Results {
  return {
    date: "2026-01-02T03:04:05.000Z",
    isQuick: false,
    rounds: 3,
    timing: { warmupMs: 2000, windows: 5, windowMs: 1000 },
    machine: { cpu: 'A "fast" <CPU>', cores: 2, memory: 8 * 1024 ** 3, kernel: "Linux 6.1", bun: "1.4.5" },
    cores: { proxy: 0, load: 1 },
    versions: [
      { proxy: "causeway", version: "0.1.0" },
      { proxy: "nginx", version: "1.22.1" },
      { proxy: "direct", version: "" },
    ],
    scenarios: [summarize(wsScenario, runs, [])],
  };
}
