import type { ListenerStatus } from "../../core/figures.ts";
import type { Issue } from "../../core/issue.ts";
import type { Snapshot, UpstreamSettings } from "../../core/snapshot.ts";
import type { SnapshotTerms } from "../../core/worker-protocol.ts";
import { mergeListeners } from "./merge-answers.ts";
import { lost, rollOut, withPorts } from "./rollout.ts";
import type { WorkerKeeper } from "./worker-keeper.ts";
import type { WorkerLog } from "./worker-log.ts";

/** Who hears what becomes of snapshots. */
export type SnapshotListener = {
  readonly onApplied: (revision: number, listeners: readonly ListenerStatus[]) => void;
  readonly onRefused: (revision: number, issues: readonly Issue[]) => void;
};

/** Who is kept equal, and who hears of it. */
export type SnapshotKeeperOptions = {
  /** Those that shall be equal. */
  readonly workers: () => readonly WorkerKeeper[];
  readonly listener: SnapshotListener;
  readonly log: WorkerLog;
};

/** Keeps all workers equal to the newest good snapshot. */
export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;
  readonly #broughtUp = new Set<WorkerKeeper>();
  #good: Snapshot | undefined;
  #next: Snapshot | undefined;
  #terms: SnapshotTerms | undefined;
  #isRollingOut = false;

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options;
  }

  /** What is in force; undefined until something is. */
  get good(): Snapshot | undefined {
    return this.#good;
  }

  /** What goes with every snapshot. */
  get terms(): SnapshotTerms | undefined {
    return this.#terms;
  }

  /** Puts a snapshot into force on all workers, or on none; the listener hears which. A newer one takes the place of one that waits. */
  apply(snapshot: Snapshot): void {
    this.#next = snapshot;
    void this.work();
  }

  /** These upstreams of what is in force have other endpoints now: workers that start later get what is in force as a whole. */
  refresh(upstreams: readonly UpstreamSettings[]): void {
    if (this.#good === undefined) return;
    const byName = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
    const current = this.#good.upstreams.map((upstream) => byName.get(upstream.name) ?? upstream);
    this.#good = { ...this.#good, upstreams: current };
  }

  /** False if they are the same as before. */
  useTerms(terms: SnapshotTerms): boolean {
    if (Bun.deepEquals(this.#terms, terms)) return false;
    this.#terms = terms;
    return true;
  }

  /** There may be something to do: the newest snapshot first, and then what is in force for those that do not have it. */
  async work(): Promise<void> {
    if (this.#isRollingOut) return;
    this.#isRollingOut = true;
    try {
      for (let next = this.#take(); next !== undefined; next = this.#take()) await this.#rollOut(next);
    } finally {
      this.#isRollingOut = false;
    }
    for (const worker of this.#options.workers()) void this.#bringUp(worker);
  }

  /** A worker ended before anything was in force. One that does not even call will not do better the next time. */
  giveUp(how: string): void {
    if (this.#isRollingOut || this.#next === undefined) return;
    const { revision } = this.#next;
    this.#next = undefined;
    const says = `a worker ended (${how}) while it put revision ${revision} into force`;
    this.#options.listener.onRefused(revision, [lost(says)]);
  }

  /** The first snapshot waits for all workers, a later one for any. */
  #take(): Snapshot | undefined {
    const linked = this.#linked().length;
    if (linked === 0 || (this.#good === undefined && linked < this.#options.workers().length)) return undefined;
    const next = this.#next;
    this.#next = undefined;
    return next;
  }

  async #rollOut(snapshot: Snapshot): Promise<void> {
    const { listener } = this.#options;
    const { revision } = snapshot;
    const wanted = withPorts(snapshot, this.#listeners());
    const result = await rollOut(wanted, this.#linked(), this.#terms);
    if ("issues" in result) return listener.onRefused(revision, result.issues);
    this.#good = result.snapshot;
    listener.onApplied(revision, this.#listeners());
  }

  /** Gives a worker what the others have. */
  async #bringUp(worker: WorkerKeeper): Promise<void> {
    const good = this.#good;
    if (good === undefined || !worker.isLinked || worker.revision === good.revision) return;
    if (this.#broughtUp.has(worker)) return;
    this.#broughtUp.add(worker);
    const verdict = await worker.orders.install(good, this.#terms);
    this.#broughtUp.delete(worker);
    if (verdict.kind === "done") return this.#options.listener.onApplied(good.revision, this.#listeners());
    if (verdict.kind !== "refused") return;
    // A new worker cannot have what the old one had (its port was taken meanwhile, say): try again, ever more slowly.
    this.#options.log.refused(worker.id, verdict.issues);
    if (worker.state === "starting") worker.replace();
  }

  #linked(): readonly WorkerKeeper[] {
    return this.#options.workers().filter(({ isLinked }) => isLinked);
  }

  #listeners(): readonly ListenerStatus[] {
    return mergeListeners(this.#options.workers().map(({ listeners }) => listeners));
  }
}
