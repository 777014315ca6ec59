import type { Issue } from "../../core/issue.ts";
import { type FromWorker, type Hello, workerProtocol } from "../../core/worker-protocol.ts";
import { counted } from "../../kit/counted.ts";
import type { Tally } from "../../kit/shared-memory.ts";
import type { EventLog } from "../event-log.ts";
import type { UpgradeResult } from "./handover-order.ts";

/** The end of a worker: what ended with it, how often one was started anew in its place, and how long the next start waits (ms). */
export type WorkerEnd = {
  readonly how: string;
  readonly had: Tally | undefined;
  readonly restarts: number;
  readonly waitMs: number;
};

/** A worker of the control process before this one. */
type Adopted = { readonly id: string; readonly pid: number | undefined; readonly revision: number };

/** What the log says of workers. */
export class WorkerLog {
  readonly #log: EventLog;

  constructor(log: EventLog) {
    this.#log = log;
  }

  adopted(found: readonly Adopted[]): void {
    const workers = found.map(({ id, pid, revision }) => ({ worker: id, pid, revision }));
    const says = `${found.length} workers of the control process before this one serve on`;
    this.#log.info("workers-adopted", says, { workers });
  }

  ended(worker: string, { how, had, restarts, waitMs }: WorkerEnd): void {
    const { sessions = 0, requests = 0 } = had ?? {};
    const lost = `${counted(sessions, "session")} and ${counted(requests, "request")}`;
    const says = `worker ${worker} ended (${how}) and with it ${lost}; it is started again in ${waitMs} ms`;
    this.#log.error("worker-ended", says, { worker, how, sessions, requests, restarts, waitMs });
  }

  /** A reader of the log that saw a worker end wants to see when the trouble was over. */
  servesAgain(
    worker: string,
    of: { readonly pid: number | undefined; readonly restarts: number; readonly revision: number },
  ): void {
    const says = `worker ${worker} serves again, with revision ${of.revision}`;
    this.#log.info("worker-serving", says, { worker, ...of });
  }

  /** It did not call within `callMs` milliseconds. */
  silent(worker: string, callMs: number): void {
    this.#log.error("worker-silent", `worker ${worker} did not call within ${callMs} ms and is killed`, { worker });
  }

  speaksOtherwise({ worker, protocol }: Hello): void {
    const says = `worker ${worker} speaks protocol ${protocol}, this control process ${workerProtocol}`;
    this.#log.error("worker-protocol", says, { worker });
  }

  broke(worker: string, fault: string): void {
    this.#log.error("worker-fault", `worker ${worker}: ${fault}`, { worker });
  }

  /** It cannot have what the others have. */
  refused(worker: string, issues: readonly Issue[]): void {
    for (const { says } of issues) this.#log.error("worker-refused", `worker ${worker}: ${says}`, { worker });
  }

  /** What a worker itself has to say. */
  said(worker: string, { level, says, detail }: Extract<FromWorker, { type: "log" }>): void {
    this.#log[level]("worker", says, { worker, ...(detail === undefined ? {} : { detail }) });
  }

  upgraded(worker: string, result: UpgradeResult): void {
    if ("failed" in result) {
      const says = `worker ${worker} was not handed over: ${result.failed}`;
      return this.#log.error("upgrade-failed", says, { worker, why: result.failed });
    }
    const { pid, sessions, connections } = result;
    const pausedMs = Math.round(result.pausedMs);
    const what = `${counted(sessions, "session")} and ${counted(connections, "connection")}`;
    const says = `worker ${worker} has handed over ${what} to process ${pid}, in ${pausedMs} ms`;
    this.#log.info("worker-upgraded", says, { worker, pid, sessions, connections, pausedMs });
  }
}
