import { busyMicrosOf, cpuMicrosOf, type WatchedProcess } from "../measure/processes.ts";
import type { Failure, TrafficSample } from "../measure/sample.ts";
import { LatencyHistogram } from "../measure/statistics.ts";

/** What to measure: how long to warm up, how long to count, and whose CPU time to read when counting starts and ends. */
export type Measurement = {
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly watched: readonly WatchedProcess[];
  readonly cores: { readonly proxy: number; readonly load: number };
};

type Reading = { readonly atMs: number; readonly cpu: readonly number[]; readonly busy: readonly [number, number] };

/** Counts operations and their latencies while it is open. Lives in the load process, so that counters and CPU times are read at one moment. */
export class Window {
  readonly #histogram = new LatencyHistogram();
  readonly #failures = new Map<string, number>();
  #isOpen = false;

  /** Counts one operation that took `micros`. */
  record(micros: number): void {
    if (this.#isOpen) this.#histogram.record(micros);
  }

  /** Counts something that must not happen, also outside the window. */
  fail(what: string): void {
    this.#failures.set(what, (this.#failures.get(what) ?? 0) + 1);
  }

  get failures(): readonly Failure[] {
    return Array.from(this.#failures, ([what, count]) => ({ what, count }));
  }

  /** Lets the traffic warm up, counts, and returns what came of it. */
  async measure(measurement: Measurement): Promise<TrafficSample> {
    await Bun.sleep(measurement.warmupMs);
    this.#histogram.reset();
    const before = read(measurement);
    this.#isOpen = true;
    await Bun.sleep(measurement.measureMs);
    this.#isOpen = false;
    return this.#sample(measurement, before, read(measurement));
  }

  #sample({ watched }: Measurement, before: Reading, after: Reading): TrafficSample {
    const micros = (after.atMs - before.atMs) * 1000;
    const operations = this.#histogram.total;
    const cpu = (roles: readonly WatchedProcess["role"][]) =>
      watched.reduce(
        (sum, { role }, index) => sum + (roles.includes(role) ? difference(after.cpu, before.cpu, index) : 0),
        0,
      );
    const [worker, control, other] = [cpu(["worker"]), cpu(["control"]), cpu(["load", "echo"])];
    const busy = after.busy[0] - before.busy[0] + after.busy[1] - before.busy[1];
    return {
      kind: "traffic",
      operations,
      perSecond: (operations / micros) * 1e6,
      p50Micros: this.#histogram.percentile(0.5),
      p99Micros: this.#histogram.percentile(0.99),
      cpuMicros: (worker + control) / operations,
      workerCpuMicros: worker / operations,
      controlCpuMicros: control / operations,
      proxyCore: (worker + control) / micros,
      loadCore: other / micros,
      foreignCore: Math.max(0, busy - worker - control - other) / micros,
      failures: this.failures,
    };
  }
}

function read({ watched, cores }: Measurement): Reading {
  return {
    atMs: performance.now(),
    cpu: watched.map(({ pid }) => cpuMicrosOf(pid)),
    busy: [busyMicrosOf(cores.proxy), busyMicrosOf(cores.load)],
  };
}

function difference(after: readonly number[], before: readonly number[], index: number): number {
  return (after[index] ?? 0) - (before[index] ?? 0);
}
