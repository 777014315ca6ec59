import type { FromWorker, Hello } from "../../core/worker-protocol.ts";
import { within } from "../../kit/sleep.ts";

/** How long a handover may take in all (ms). */
const handoverMs = 60_000;

/** How the successors are called (without arguments), and how long a worker stays for what cannot be handed over (ms). */
export type UpgradeOrder = { readonly command: readonly string[]; readonly lingerMs: number };

/** What a worker handed over, and how long nothing moved meanwhile; or why it did not. */
export type UpgradeResult =
  | { readonly pid: number; readonly pausedMs: number; readonly sessions: number; readonly connections: number }
  | { readonly failed: string };

/** A handover that one worker was told to make, until it is known what became of it. */
export class HandoverOrder {
  readonly #worker: string;
  /** The process that hands over. */
  readonly pid: number;
  readonly #result = Promise.withResolvers<UpgradeResult>();

  constructor(worker: string, pid: number) {
    this.#worker = worker;
    this.pid = pid;
  }

  /** What became of it, after a minute at the latest. */
  settled(): Promise<UpgradeResult> {
    const late = `worker ${this.#worker} did not hand over within ${handoverMs / 1000} s`;
    return within(this.#result.promise, handoverMs, { failed: late });
  }

  /** True for the successor that this handover has made. */
  hasMade({ worker, succeeds }: Hello): boolean {
    return worker === this.#worker && succeeds?.pid === this.pid;
  }

  /** The worker has something to say of it. */
  hear(message: Extract<FromWorker, { type: "handed-over" | "upgrade-failed" }>): void {
    if (message.type === "upgrade-failed") return this.fail(message.says);
    const { pid, pausedMs, sessions, connections } = message;
    this.#result.resolve({ pid, pausedMs, sessions, connections });
  }

  fail(why: string): void {
    this.#result.resolve({ failed: why });
  }
}
