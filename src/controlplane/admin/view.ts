import type { ListenerStatus } from "../../core/figures.ts";
import type { Issue } from "../../core/issue.ts";
import type { Answer, Question, WorkerStatus } from "../../core/worker-protocol.ts";
import type { InForce } from "../reconciler.ts";
import type { WorkerState } from "../workers/worker-keeper.ts";

/** How long the admin API waits for a worker. Milliseconds. */
export const askMs = 2000;

/** What the admin API can see and ask. */
export type ControlView = {
  readonly version: string;
  readonly reconciler: {
    readonly inForce: InForce | undefined;
    readonly listeners: readonly ListenerStatus[];
    readonly issues: readonly Issue[];
    readonly isLastReloadGood: boolean;
    readonly lastReloadAt: number | undefined;
  };
  readonly worker: WorkerView;
  /** The metrics page, and its content type. */
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>;
};

/** The worker as the admin API sees it. */
export interface WorkerView {
  readonly id: string;
  readonly state: WorkerState;
  readonly pid: number | undefined;
  readonly restarts: number;
  /** Unix milliseconds. */
  readonly startedAt: number;
  ask<Q extends Question>(question: Q, deadlineMs: number): Promise<Extract<Answer, { about: Q["about"] }>>;
}

/** What the worker says of itself; throws an AskError. */
export async function workerStatus(view: ControlView): Promise<WorkerStatus> {
  const answer = await view.worker.ask({ about: "status" }, askMs);
  return answer.status;
}

/** The same, or undefined where pages do without it. */
export async function workerStatusIfAny(view: ControlView): Promise<WorkerStatus | undefined> {
  try {
    return await workerStatus(view);
  } catch {
    return undefined;
  }
}
