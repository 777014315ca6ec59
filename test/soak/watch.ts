import { sleep } from "../../src/kit/sleep.ts";
import { type Holdings, holdings, leftOver } from "../support/baseline.ts";
import { residentMemory } from "../support/process-figures.ts";
import type { RunningGateway } from "../support/running-gateway.ts";
import type { Findings } from "./load.ts";

const intervalMs = 250;
/** The longest that anything of the fuzzer may be kept by rights is the time of a half-closed connection, 10 s (ms). */
const settleMs = 30_000;
/** How long memory is looked at while nothing happens: the runtime gives it back when it finds the time (ms). */
const restMs = 6000;

/** What the gateway holds while nothing happens, and the resident memory of both processes (bytes). */
export type Rest = { readonly holdings: Holdings; readonly workerMemory: number; readonly controlMemory: number };

/** Looks at the gateway from outside all the time. */
export class Watch {
  readonly #gateway: RunningGateway;
  readonly #findings: Findings;
  readonly #workerPid: number;
  #readEvents = 0;
  latest: Holdings | undefined;
  looks = 0;
  mostMemory = 0;

  constructor(gateway: RunningGateway, findings: Findings) {
    this.#gateway = gateway;
    this.#findings = findings;
    this.#workerPid = gateway.ready.workerPid;
  }

  /** Looks again and again until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look();
      await sleep(intervalMs, signal);
    }
  }

  /** Waits until everything is back that was held before, or until only memory can still change, and weighs that. */
  async rest(before: Holdings | undefined): Promise<Rest> {
    const endsAt = performance.now() + settleMs;
    let now = await this.#look();
    const isBack = (): boolean => leftOver(before ?? nothing(now), now).length === 0;
    while (!isBack() && performance.now() < endsAt) {
      await sleep(intervalMs);
      now = await this.#look();
    }
    for (const left of leftOver(before ?? nothing(now), now)) this.#findings.add(`at rest: ${left}`);
    return { holdings: now, ...(await this.#weigh()) };
  }

  async #look(): Promise<Holdings> {
    this.#readLog();
    const now = await holdings(this.#gateway);
    this.looks++;
    this.latest = now;
    this.mostMemory = Math.max(this.mostMemory, now.memory);
    // AC-6.4
    if (now.balance !== now.sessions)
      this.#findings.add(`${now.sessions} sessions open, ${now.balance} by the counters`);
    return now;
  }

  #readLog(): void {
    for (const line of this.#gateway.lines.slice(this.#readEvents)) {
      this.#readEvents++;
      // A broken configuration is meant to be complained about.
      if (line.level === "error" && line.event !== "config-issue")
        this.#findings.add(`log: ${String(line.event)}: ${String(line.message)} ${String(line.detail ?? "")}`);
    }
    if (this.#gateway.ready.workerPid !== this.#workerPid) this.#findings.add("the worker is another one");
  }

  async #weigh(): Promise<{ workerMemory: number; controlMemory: number }> {
    let workerMemory = Number.POSITIVE_INFINITY;
    let controlMemory = Number.POSITIVE_INFINITY;
    for (const endsAt = performance.now() + restMs; performance.now() < endsAt; await sleep(intervalMs)) {
      workerMemory = Math.min(workerMemory, residentMemory(this.#workerPid));
      controlMemory = Math.min(controlMemory, residentMemory(this.#gateway.pid));
    }
    return { workerMemory, controlMemory };
  }
}

/** Nothing of what traffic brings; descriptors and timers are the gateway's own as well. */
function nothing(now: Holdings): Holdings {
  const none = { sessions: 0, endpointSessions: 0, closing: 0, pending: 0, running: 0, connections: 0, sockets: 0 };
  return { ...now, ...none, queued: 0, balance: 0 };
}
