import type { AccessRecord } from "./access-record.ts";
import type { AcmeChallenge } from "./acme-challenge.ts";
import type { DrainOrder } from "./drain-order.ts";
import type { EndpointVerdict, UpstreamNotice } from "./endpoint-state.ts";
import type { ListenerStatus, MetricFamily, UpstreamStatus } from "./figures.ts";
import type { Issue } from "./issue.ts";
import type { SessionFilter, SessionSummary } from "./session.ts";
import type { Snapshot, UpstreamSettings } from "./snapshot.ts";

/** The version of this protocol. A worker and a control process that differ do not talk. */
export const workerProtocol = 1;

/** From the control process to a worker: one JSON value a line over a Unix socket. */
export type ToWorker =
  /** Put this into force at once: what all others have already. */
  | { readonly type: "snapshot"; readonly snapshot: Snapshot; readonly terms?: SnapshotTerms }
  /** Do of this change what can fail. `commit` or `abandon` follows, when it is known what all workers say to it. */
  | { readonly type: "prepare"; readonly snapshot: Snapshot }
  | { readonly type: "commit"; readonly revision: number; readonly terms?: SnapshotTerms }
  | { readonly type: "abandon"; readonly revision: number }
  /** New terms without a new snapshot. */
  | { readonly type: "terms"; readonly terms: SnapshotTerms }
  /** These upstreams have other endpoints now; everything else of them is as in the snapshot in force. */
  | { readonly type: "upstreams"; readonly upstreams: readonly UpstreamSettings[] }
  | { readonly type: "ask"; readonly id: number; readonly question: Question }
  | { readonly type: "drain"; readonly plan: DrainPlan }
  /**
   * Start a successor, hand over to it what can be handed over, and end when the rest has ended: after `lingerMs` at the latest, which
   * then is a drain. `command` is how the program is called, without arguments; `region` is the successor's.
   */
  | {
      readonly type: "upgrade";
      readonly command: readonly string[];
      readonly region: number;
      readonly lingerMs: number;
    }
  /** What listeners show to ACME authorities from now on, and nothing else. */
  | { readonly type: "challenges"; readonly challenges: readonly AcmeChallenge[] }
  /** The drains that are in force from now on, and no others. */
  | { readonly type: "drains"; readonly orders: readonly DrainOrder[] }
  /** Verdicts that are new, or all there are; those of endpoints that are not configured (yet) are kept for when they are. */
  | { readonly type: "endpoints"; readonly verdicts: readonly EndpointVerdict[]; readonly isWhole?: boolean };

/** From a worker to the control process. */
export type FromWorker =
  | Hello
  | { readonly type: "prepared"; readonly revision: number; readonly listeners: readonly ListenerStatus[] }
  | { readonly type: "applied"; readonly revision: number; readonly listeners: readonly ListenerStatus[] }
  /** The snapshot could not be put into force (a port is taken, say); the last one stays. */
  | { readonly type: "refused"; readonly revision: number; readonly issues: readonly Issue[] }
  | { readonly type: "answer"; readonly id: number; readonly answer: Answer }
  | { readonly type: "failed"; readonly id: number; readonly says: string }
  /** Access records in order; `dropped` counts those that were lost since the last batch because the control process was slow. */
  | { readonly type: "records"; readonly records: readonly AccessRecord[]; readonly dropped: number }
  | { readonly type: "log"; readonly level: "info" | "warn" | "error"; readonly says: string; readonly detail?: string }
  /** Something about an upstream that the worker found out by itself. */
  | { readonly type: "notice"; readonly notice: UpstreamNotice }
  /** It was told to, and has started a successor. */
  | { readonly type: "handing-over"; readonly successor: Successor }
  /** The successor has it all and calls next. `pausedMs` is how long nothing moved; `families` is what was counted, without the sessions that went. */
  | {
      readonly type: "handed-over";
      readonly pid: number;
      readonly pausedMs: number;
      readonly sessions: number;
      readonly connections: number;
      readonly families?: readonly MetricFamily[];
    }
  /** No successor took over, and everything goes on as if nothing had happened. */
  | { readonly type: "upgrade-failed"; readonly says: string }
  /** What a worker has counted in all, once it has drained, or handed over its sessions (without theirs); it exits next. */
  | { readonly type: "farewell"; readonly families: readonly MetricFamily[] }
  /** The drain is over; its farewell follows. */
  | { readonly type: "drained"; readonly closed: number; readonly destroyed: number };

/** The first word of a worker. One that had a control process before says what it has in force. */
export type Hello = {
  readonly type: "hello";
  readonly protocol: number;
  readonly worker: string;
  readonly pid: number;
  /** 0 if there is nothing in force yet. */
  readonly revision: number;
  readonly listeners: readonly ListenerStatus[];
  /** Its region of the memory that workers share. */
  readonly region?: number;
  /** Whose successor it is, by process id, and what tells this process from every other one. */
  readonly succeeds?: { readonly pid: number; readonly mark: string };
  /** Given while it hands over. */
  readonly successor?: Successor;
};

/** A process that is about to take over from a worker: what tells it from every other one, and its region of the shared memory. */
export type Successor = { readonly mark: string; readonly region: number };

/** How a worker that lingers beside its successor is called, and how guests of the folder are that linger. */
export function lingeringName(worker: string, pid: number): string {
  return `${worker}-${pid}`;
}

/** How guests of the folder of the control socket are named, before their id: workers, and those that linger. */
export const guestPrefixes = { worker: "worker-", lingering: "lingering-" } as const;

/** The name of the file that all workers map, in the folder of the control socket. */
export const sharedFileName = "counts";

/** What a worker can be asked. */
export type Question =
  | { readonly about: "sessions"; readonly filter: SessionFilter; readonly limit: number }
  | { readonly about: "close"; readonly filter: SessionFilter; readonly code: number; readonly reason: string }
  | { readonly about: "metrics" }
  | { readonly about: "status" };

/** `about` equals that of the question. */
export type Answer =
  /** `total` counts all that match; `items` holds at most `limit`, oldest first. */
  | { readonly about: "sessions"; readonly items: readonly SessionSummary[]; readonly total: number }
  | { readonly about: "close"; readonly closed: number }
  | { readonly about: "metrics"; readonly families: readonly MetricFamily[] }
  | { readonly about: "status"; readonly status: WorkerStatus };

/** How a worker is doing, or all of them together. */
export type WorkerStatus = {
  readonly revision: number;
  readonly state: "serving" | "draining";
  readonly sessions: number;
  readonly connections: number;
  /** How many open sessions run under which revision, and how many a route has. */
  readonly sessionsByRevision: Readonly<Record<string, number>>;
  readonly sessionsByRoute: Readonly<Record<string, number>>;
  readonly listeners: readonly ListenerStatus[];
  readonly upstreams: readonly UpstreamStatus[];
  /** What it was told of endpoints, for a control process that does not know it. */
  readonly verdicts?: readonly EndpointVerdict[];
  /** The drains that it was told of, for the same. */
  readonly drains?: readonly DrainOrder[];
  /** Bytes. */
  readonly residentMemory: number;
};

/** What the control process wants of a worker beside a snapshot. */
export type SnapshotTerms = {
  /** How the sessions of routes and endpoints that the snapshot has lost are ended. */
  readonly drain: DrainPlan;
  /** False if nobody reads access records; the worker then makes none. */
  readonly wantsRecords: boolean;
};

/** How sessions are ended: Close frames with `code` at random moments of `windowMs`, and the rest cut `graceMs` after the start. */
export type DrainPlan = {
  readonly windowMs: number;
  readonly graceMs: number;
  readonly code: number;
  readonly reason: string;
};
