import type { EndpointVerdict } from "../../core/endpoint-state.ts";
import type { ListenerStatus } from "../../core/figures.ts";
import type { Issue } from "../../core/issue.ts";
import type { Answer, Question, WorkerStatus } from "../../core/worker-protocol.ts";
import type { Drains } from "../drains.ts";
import type { KnownEndpoint } from "../health/endpoint-verdicts.ts";
import type { InForce } from "../revisions.ts";
import type { Submission, SubmissionResult } from "../submission.ts";
import type { UpgradeReport } from "../workers/upgrade-in-turn.ts";
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
    /** True while what the admin API was given takes the place of the sources. */
    readonly isSubmitted: boolean;
    /** Puts a whole configuration into force in place of what the sources say. */
    submit(submission: Submission): Promise<SubmissionResult>;
  };
  readonly workers: WorkersView;
  readonly endpoints: EndpointsView;
  readonly drains: Pick<Drains, "all" | "areForAll" | "begin" | "cancel" | "tidy">;
  /** Hands all workers over to new processes. */
  readonly upgrade: (order: UpgradeRequest) => Promise<UpgradeOutcome>;
  /** The metrics page, and its content type. */
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>;
};

/** Which program takes over (the one that runs unless given), and how long a worker stays for what it cannot hand over (ms). */
export type UpgradeRequest = { readonly binary: string | undefined; readonly lingerMs: number };

/** What became of each worker, and whether the control process is replaced next; or why nothing was begun, because another upgrade is under way if `isBusy`. */
export type UpgradeOutcome =
  | { readonly reports: readonly UpgradeReport[]; readonly isControlReplaced: boolean }
  | { readonly problem: string; readonly isBusy: boolean };

/** The workers as the admin API sees them. */
export interface WorkersView {
  /** Serving as soon as one of them is. */
  readonly state: WorkerState;
  readonly all: readonly WorkerView[];
  /** Asks all that are there, and adds up what they say. */
  ask<Q extends Question>(question: Q, deadlineMs: number): Promise<Extract<Answer, { about: Q["about"] }>>;
}

/** What checks and operators say of endpoints. */
export interface EndpointsView {
  find(upstream: string, address: string): KnownEndpoint | undefined;
  /** Undefined if there is no such endpoint. */
  drain(upstream: string, address: string, what: "begin" | "undo"): EndpointVerdict | undefined;
}

/** One worker. */
export interface WorkerView {
  readonly id: string;
  readonly state: WorkerState;
  readonly pid: number | undefined;
  /** How often it was started anew, and how often in a row within seconds of its start. */
  readonly restarts: number;
  readonly failures: number;
  /** Unix milliseconds. */
  readonly startedAt: number;
  ask<Q extends Question>(question: Q, deadlineMs: number): Promise<Extract<Answer, { about: Q["about"] }>>;
}

/** What the workers say of themselves, together; throws an AskError. */
export async function workerStatus(view: ControlView): Promise<WorkerStatus> {
  const answer = await view.workers.ask({ about: "status" }, askMs);
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
