import type { ListenerStatus } from "../../core/figures.ts";
import type { Issue } from "../../core/issue.ts";
import type { Snapshot } from "../../core/snapshot.ts";
import type { FromWorker, SnapshotTerms, ToWorker } from "../../core/worker-protocol.ts";
import { after } from "../../kit/sleep.ts";

/** How long a worker may take to prepare a snapshot or to put it into force (ms). */
const verdictMs = 20_000;

/** What a worker has made of a snapshot. */
export type Verdict =
  | { readonly kind: "done"; readonly listeners: readonly ListenerStatus[] }
  | { readonly kind: "refused"; readonly issues: readonly Issue[] }
  /** It ended meanwhile, which may be the snapshot's doing. */
  | { readonly kind: "ended"; readonly how: string }
  | { readonly kind: "late" };

/** What one worker is told to put into force, and what it makes of that. */
export class SnapshotOrders {
  /** False if the worker cannot be told anything. */
  readonly #send: (message: ToWorker) => boolean;
  readonly #waiting = new Map<number, (verdict: Verdict) => void>();

  constructor(send: (message: ToWorker) => boolean) {
    this.#send = send;
  }

  /** Has a snapshot put into force at once. */
  install(snapshot: Snapshot, terms: SnapshotTerms | undefined): Promise<Verdict> {
    return this.#order(snapshot.revision, { type: "snapshot", snapshot, ...(terms === undefined ? {} : { terms }) });
  }

  /** Has everything done that can fail; `commit` follows, or the worker is told to abandon it. */
  prepare(snapshot: Snapshot): Promise<Verdict> {
    return this.#order(snapshot.revision, { type: "prepare", snapshot });
  }

  commit(revision: number, terms: SnapshotTerms | undefined): Promise<Verdict> {
    return this.#order(revision, { type: "commit", revision, ...(terms === undefined ? {} : { terms }) });
  }

  hear(message: Extract<FromWorker, { type: "prepared" | "applied" | "refused" }>): void {
    const { revision } = message;
    if (message.type === "refused") this.#settle(revision, { kind: "refused", issues: message.issues });
    else this.#settle(revision, { kind: "done", listeners: message.listeners });
  }

  /** The worker is gone, and says nothing of what it was told. */
  ended(how: string): void {
    for (const revision of [...this.#waiting.keys()]) this.#settle(revision, { kind: "ended", how });
  }

  #order(revision: number, message: ToWorker): Promise<Verdict> {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const cancel = after(verdictMs, () => this.#settle(revision, { kind: "late" }));
    this.#waiting.set(revision, (verdict) => {
      cancel();
      resolve(verdict);
    });
    if (!this.#send(message)) this.#settle(revision, { kind: "ended", how: "it does not run" });
    return promise;
  }

  #settle(revision: number, verdict: Verdict): void {
    const resolve = this.#waiting.get(revision);
    this.#waiting.delete(revision);
    resolve?.(verdict);
  }
}
