import type { AccessRecord } from "../../core/access-record.ts";
import type { ListenerStatus } from "../../core/figures.ts";
import type { Issue } from "../../core/issue.ts";
import type { Snapshot } from "../../core/snapshot.ts";
import {
  type Answer,
  type DrainPlan,
  type FromWorker,
  type Question,
  type SnapshotTerms,
  workerProtocol,
} from "../../core/worker-protocol.ts";
import { Backoff } from "../../kit/backoff.ts";
import { after, sleep, within } from "../../kit/sleep.ts";
import type { EventLog } from "../event-log.ts";
import { ControlSocket } from "./control-socket.ts";
import { AskError, WorkerLink } from "./worker-link.ts";
import type { StartWorker, WorkerProcess } from "./worker-process.ts";

/** How long a new worker may take to call, and one that hung up may take to end. Milliseconds. */
const callMs = 10_000;
const hangUpMs = 1000;

/** Who hears what becomes of snapshots and what the worker reports. */
export type KeeperListener = {
  readonly onApplied: (revision: number, listeners: readonly ListenerStatus[]) => void;
  readonly onRefused: (revision: number, issues: readonly Issue[]) => void;
  readonly onRecords: (records: readonly AccessRecord[], dropped: number) => void;
};

export type KeeperOptions = {
  readonly start: StartWorker;
  readonly listener: KeeperListener;
  readonly log: EventLog;
  readonly backoff?: Backoff;
};

/** `starting` also between a crash and the next worker's first snapshot. */
export type WorkerState = "starting" | "serving" | "draining" | "ended";

/** How a drain went. `isKilled`: the worker did not end by itself in time. */
export type DrainResult = { readonly closed: number; readonly destroyed: number; readonly isKilled: boolean };

/** Keeps one worker process alive and equal to the newest good snapshot. */
export class WorkerKeeper implements AsyncDisposable {
  readonly id = "1";
  readonly #options: KeeperOptions;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  #control: ControlSocket | undefined;
  #process: WorkerProcess | undefined;
  #startedAt = 0;
  #link: WorkerLink | undefined;
  #state: WorkerState = "starting";
  #restarts = 0;
  #good: Snapshot | undefined;
  #terms: SnapshotTerms | undefined;
  #pending: { readonly snapshot: Snapshot; isSent: boolean }[] = [];
  #drained: { readonly closed: number; readonly destroyed: number } | undefined;
  #kept: Promise<void> = Promise.resolve();

  private constructor(options: KeeperOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? new Backoff({ firstMs: 200, mostMs: 5000, calmMs: 60_000 });
  }

  /** Listens for workers and starts the first one. */
  static async open(options: KeeperOptions): Promise<WorkerKeeper> {
    const keeper = new WorkerKeeper(options);
    keeper.#control = await ControlSocket.open((socket) => keeper.#welcome(socket));
    keeper.#kept = keeper.#keep(keeper.#control.path);
    return keeper;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** How often a worker was started anew after it ended unasked. */
  get restarts(): number {
    return this.#restarts;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** When the present process was started: Unix milliseconds. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** Sends a snapshot, or keeps it for the worker to come; the listener hears what became of it. */
  apply(snapshot: Snapshot): void {
    const entry = { snapshot, isSent: false };
    this.#pending.push(entry);
    if (this.#state === "serving" || (this.#link !== undefined && this.#good === undefined)) this.#sendPending();
  }

  /** Goes with every snapshot from now on; a serving worker hears of it at once. */
  useTerms(terms: SnapshotTerms): void {
    if (Bun.deepEquals(this.#terms, terms)) return;
    this.#terms = terms;
    if (this.#state === "serving" && this.#good !== undefined) this.#sendSnapshot(this.#good);
  }

  /** Asks the worker; throws an AskError. */
  async ask<Q extends Question>(question: Q, deadlineMs: number): Promise<Extract<Answer, { about: Q["about"] }>> {
    if (this.#link === undefined) throw new AskError("unavailable", "the worker is not running; it is being started");
    return this.#link.ask(question, deadlineMs);
  }

  /** Ends the worker's sessions by `plan` and then the worker; one that takes longer than `graceMs` + 1 s is killed. */
  async drain(plan: DrainPlan): Promise<DrainResult> {
    this.#state = "draining";
    this.#stop.abort();
    const running = this.#process;
    this.#link?.send({ type: "drain", plan });
    if (this.#link === undefined) running?.kill();
    const late = Symbol("late");
    const isKilled = (await within(this.#kept, plan.graceMs + 1000, late)) === late;
    if (isKilled) running?.kill();
    await this.#kept;
    return { closed: this.#drained?.closed ?? 0, destroyed: this.#drained?.destroyed ?? 0, isKilled };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#process?.kill();
    await this.#kept;
    await this.#control?.[Symbol.asyncDispose]();
  }

  async #keep(path: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const how = await this.#runOnce(path);
      if (this.#stop.signal.aborted) break;
      this.#state = "starting";
      this.#loseSent(how);
      this.#restarts++;
      const waitMs = Math.round(this.#backoff.next(performance.now()));
      const fields = { worker: this.id, how, restarts: this.#restarts, waitMs };
      this.#options.log.error(
        "worker-ended",
        `worker ${this.id} ended (${how}) and its sessions with it; it is started again in ${waitMs} ms`,
        fields,
      );
      await sleep(waitMs, this.#stop.signal);
    }
    this.#state = "ended";
  }

  async #runOnce(path: string): Promise<string> {
    try {
      this.#process = this.#options.start(path, this.id);
    } catch (error) {
      return `it could not be started: ${error instanceof Error ? error.message : String(error)}`;
    }
    const running = this.#process;
    this.#startedAt = Date.now();
    const cancel = after(callMs, () => this.#killSilent(running));
    const how = await running.ended;
    cancel();
    this.#process = undefined;
    this.#link?.destroy();
    this.#link = undefined;
    return how;
  }

  #killSilent(running: WorkerProcess): void {
    if (this.#link !== undefined) return;
    this.#options.log.error("worker-silent", `worker ${this.id} did not call within ${callMs} ms and is killed`);
    running.kill();
  }

  /** A connection counts as the worker's once it says hello. */
  #welcome(socket: ConstructorParameters<typeof WorkerLink>[0]): void {
    const link: WorkerLink = new WorkerLink(socket, {
      onMessage: (message) => this.#hear(link, message),
      onClose: (fault) => this.#hungUp(link, fault),
    }).open();
  }

  #hungUp(link: WorkerLink, fault: string | undefined): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    if (fault !== undefined) this.#options.log.error("worker-fault", `worker ${this.id}: ${fault}`);
    const running = this.#process;
    // A worker without a link cannot be told anything, so it must not go on.
    after(hangUpMs, () => {
      if (running !== undefined && this.#process === running) running.kill();
    });
  }

  #hear(link: WorkerLink, message: FromWorker): void {
    if (message.type === "hello") this.#greet(link, message);
    else if (link !== this.#link) link.destroy();
    else this.#take(message);
  }

  #take(message: FromWorker): void {
    const { listener, log } = this.#options;
    if (message.type === "applied") this.#applied(message.revision, message.listeners);
    else if (message.type === "refused") this.#refused(message.revision, message.issues);
    else if (message.type === "records") listener.onRecords(message.records, message.dropped);
    else if (message.type === "drained") this.#drained = message;
    else if (message.type === "log") {
      log[message.level]("worker", message.says, message.detail === undefined ? {} : { detail: message.detail });
    }
  }

  #greet(link: WorkerLink, hello: Extract<FromWorker, { type: "hello" }>): void {
    const running = this.#process;
    const isOurs = this.#link === undefined && hello.worker === this.id && hello.pid === running?.pid;
    if (!isOurs) {
      link.destroy();
    } else if (hello.protocol !== workerProtocol) {
      const says = `worker ${this.id} speaks protocol ${hello.protocol}, this control process ${workerProtocol}`;
      this.#options.log.error("worker-protocol", says);
      running?.kill();
    } else {
      this.#link = link;
      if (this.#good === undefined) this.#sendPending();
      else this.#sendSnapshot(this.#good);
    }
  }

  #sendPending(): void {
    for (const entry of this.#pending) {
      if (entry.isSent) continue;
      entry.isSent = true;
      this.#sendSnapshot(entry.snapshot);
    }
  }

  #sendSnapshot(snapshot: Snapshot): void {
    this.#link?.send({ type: "snapshot", snapshot, ...(this.#terms === undefined ? {} : { terms: this.#terms }) });
  }

  #applied(revision: number, listeners: readonly ListenerStatus[]): void {
    const entry = this.#pending.find(({ snapshot }) => snapshot.revision === revision);
    if (entry !== undefined) this.#good = entry.snapshot;
    this.#pending = this.#pending.filter(({ snapshot }) => snapshot.revision > revision);
    if (this.#state === "starting") this.#serves(revision);
    this.#sendPending();
    this.#options.listener.onApplied(revision, listeners);
  }

  /** A reader of the log that saw a worker end wants to see when the trouble was over. */
  #serves(revision: number): void {
    this.#state = "serving";
    if (this.#restarts === 0) return;
    const fields = { worker: this.id, pid: this.pid, restarts: this.#restarts, revision };
    this.#options.log.info("worker-serving", `worker ${this.id} serves again, with revision ${revision}`, fields);
  }

  #refused(revision: number, issues: readonly Issue[]): void {
    if (revision === this.#good?.revision) {
      // A new worker cannot have what the old one had (its port was taken meanwhile, say): try again, ever more slowly.
      for (const { says } of issues) this.#options.log.error("worker-refused", `worker ${this.id}: ${says}`);
      if (this.#state === "starting") this.#process?.kill();
    } else {
      this.#pending = this.#pending.filter(({ snapshot }) => snapshot.revision !== revision);
      this.#options.listener.onRefused(revision, issues);
    }
  }

  /** What was sent to a worker that ended without an answer may be what ended it, so no other worker gets it. */
  #loseSent(how: string): void {
    // A first worker that does not even call will not do better the next time.
    const isLost = (entry: { isSent: boolean }): boolean => entry.isSent || this.#good === undefined;
    const lost = this.#pending.filter(isLost);
    this.#pending = this.#pending.filter((entry) => !isLost(entry));
    for (const { snapshot } of lost) {
      const says = `the worker ended (${how}) while it put revision ${snapshot.revision} into force`;
      const issue = {
        severity: "error",
        at: { source: "worker", path: "" },
        says,
        try: "change the file to try again",
      } as const;
      this.#options.listener.onRefused(snapshot.revision, [issue]);
    }
  }
}
