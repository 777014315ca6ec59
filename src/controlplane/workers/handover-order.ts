import type { FromWorker, Successor } from "../../core/worker-protocol.ts";
import { isAlive } from "../../kit/process-mark.ts";
import { sleep, within } from "../../kit/sleep.ts";

/** How long a handover may take in all (ms). */
const handoverMs = 60_000;
/** How long the successor of a worker that dies may take to call, and how often it is looked whether it lives (ms). */
const successorMs = 2000;
const lookMs = 10;

/** How the successors are called (without arguments), and how long a worker stays for what cannot be handed over (ms). */
export type UpgradeOrder = { readonly command: readonly string[]; readonly lingerMs: number };

/** What a worker says of a handover. */
export type HandoverNews = Extract<FromWorker, { type: "handing-over" | "handed-over" | "upgrade-failed" }>;

/** True for what a worker says of a handover. */
export function isHandoverNews(message: FromWorker): message is HandoverNews {
  return message.type === "handing-over" || message.type === "handed-over" || message.type === "upgrade-failed";
}

/** What a worker handed over, and how long nothing moved meanwhile; or why it did not. */
export type UpgradeResult =
  | { readonly pid: number; readonly pausedMs: number; readonly sessions: number; readonly connections: number }
  | { readonly failed: string };

/** A handover that one worker was told to make, by this control process or the one before it, until it is known what became of it. */
export class HandoverOrder {
  readonly #worker: string;
  /** The process that hands over. */
  readonly pid: number;
  /** Once it is started. */
  successor: Successor | undefined;
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

  /** The worker has something to say of it. */
  hear(message: HandoverNews): void {
    if (message.type === "upgrade-failed") return this.fail(message.says);
    if (message.type === "handing-over") {
      this.successor = message.successor;
      return;
    }
    const { pid, pausedMs, sessions, connections } = message;
    this.#result.resolve({ pid, pausedMs, sessions, connections });
  }

  /** The worker is dead: resolves when nobody can be expected to call in its place any more, or when the signal aborts. */
  async abandoned(signal: AbortSignal): Promise<void> {
    const isExpected = (): boolean => this.successor === undefined || isAlive(this.successor.mark);
    for (let waitedMs = 0; waitedMs < successorMs && isExpected() && !signal.aborted; waitedMs += lookMs)
      await sleep(lookMs, signal);
  }

  fail(why: string): void {
    this.#result.resolve({ failed: why });
  }
}
