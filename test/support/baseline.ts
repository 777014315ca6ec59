import { Metrics } from "./metrics.ts";
import { openDescriptors, residentMemory } from "./process-figures.ts";
import type { RunningGateway } from "./running-gateway.ts";
import { until } from "./until.ts";

/** What a gateway holds. `descriptors` are those of the worker, `memory` is its resident memory (bytes). */
export type Holdings = {
  readonly descriptors: number;
  readonly sessions: number;
  readonly endpointSessions: number;
  readonly closing: number;
  readonly pending: number;
  readonly running: number;
  readonly connections: number;
  readonly sockets: number;
  readonly timers: number;
  readonly queued: number;
  readonly memory: number;
  /** Sessions ever opened, less those that ended: the same as `sessions` at any time. */
  readonly balance: number;
};

/** Looks at a running gateway from outside. */
export async function holdings(gateway: RunningGateway): Promise<Holdings> {
  const metrics = await Metrics.read(gateway.ready.admin);
  const pid = workerOf(gateway);
  return {
    descriptors: openDescriptors(pid),
    sessions: metrics.sum("causeway_sessions_open"),
    endpointSessions: metrics.sum("causeway_endpoint_sessions"),
    closing: metrics.sum("causeway_sessions_closing"),
    pending: metrics.sum("causeway_pending"),
    running: metrics.sum("causeway_exchanges_running"),
    connections: metrics.sum("causeway_connections_open"),
    sockets: metrics.sum("causeway_sockets_open"),
    timers: metrics.sum("causeway_timers_armed"),
    queued: metrics.sum("causeway_queued_bytes"),
    memory: residentMemory(pid),
    balance: metrics.sum("causeway_sessions_opened_total") - metrics.sum("causeway_sessions_closed_total"),
  };
}

/** The process that serves now, of a gateway with one worker. */
export function workerOf(gateway: RunningGateway): number {
  return Number(gateway.event("worker-upgraded")?.pid ?? gateway.ready.workerPid);
}

/**
 * Waits until the worker's resident memory is below a limit (bytes), and throws when it is not within ten seconds: what is garbage goes with
 * the next collection, which may take its time, and what is not never goes.
 */
export async function memoryBelow(gateway: RunningGateway, limit: number): Promise<void> {
  let memory = 0;
  const isBelow = async () => {
    memory = (await holdings(gateway)).memory;
    return memory < limit;
  };
  await until(isBelow, 10_000).catch(() => {
    throw new Error(`the worker still holds ${memory} bytes of memory, more than ${limit}`);
  });
}

/** What of all that is held now and was not held before; empty when everything is back. Memory has a limit of its own. */
export function leftOver(before: Holdings, now: Holdings): string[] {
  const names = Object.keys(before) as (keyof Holdings)[];
  // Records of the log wait for others on a timer, now and then.
  const allowed = (name: keyof Holdings): number => before[name] + (name === "timers" ? 1 : 0);
  return names.flatMap((name) =>
    name !== "memory" && now[name] > allowed(name) ? [`${name}: ${before[name]} before, ${now[name]} now`] : [],
  );
}
