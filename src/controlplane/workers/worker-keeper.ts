import type { ListenerStatus } from "../../core/figures.ts";
import {
  type Answer,
  type DrainPlan,
  type FromWorker,
  type Hello,
  type Question,
  type ToWorker,
  workerProtocol,
} from "../../core/worker-protocol.ts";
import type { Backoff } from "../../kit/backoff.ts";
import type { Tally } from "../../kit/shared-memory.ts";
import { after, sleep, within } from "../../kit/sleep.ts";
import { HandoverOrder, isHandoverNews, type UpgradeOrder, type UpgradeResult } from "./handover-order.ts";
import { Restarts } from "./restarts.ts";
import type { SharedFile } from "./shared-file.ts";
import { SnapshotOrders } from "./snapshot-orders.ts";
import { AskError, type WorkerLink } from "./worker-link.ts";
import type { WorkerLog } from "./worker-log.ts";
import type { StartWorker, WorkerProcess } from "./worker-process.ts";

/** How long a worker may take to call, and to end after it hung up. Milliseconds. */
const callMs = 10_000;
const hangUpMs = 1000;

/** `lingering` once a successor serves and only what cannot be handed over is left. `starting` also between a crash and the next worker's first snapshot. */
export type WorkerState = "starting" | "serving" | "draining" | "lingering" | "ended";

/** How a drain went. `isKilled`: the worker did not end by itself in time. */
export type DrainResult = { readonly closed: number; readonly destroyed: number; readonly isKilled: boolean };

/** Who hears of a worker. */
export type KeeperListener = {
  /** It has called, and waits for what to do. */
  readonly onCall: (keeper: WorkerKeeper) => void;
  readonly onEnded: (keeper: WorkerKeeper, how: string) => void;
  /** Something that is no answer: access records, say. */
  readonly onMessage: (keeper: WorkerKeeper, message: FromWorker) => void;
};

/** What a worker is started with, and who hears of it. */
export type KeeperOptions = {
  readonly id: string;
  /** The Unix socket where it shall call. */
  readonly control: string;
  readonly start: StartWorker;
  /** Whose regions the processes get. */
  readonly memory: SharedFile;
  readonly listener: KeeperListener;
  readonly log: WorkerLog;
  readonly backoff?: Backoff | undefined;
  /** How often the workers before this one, in whose place it stands, were started anew. */
  readonly restarts?: number | undefined;
  /** A process that is there already. */
  readonly survivor?: WorkerProcess | undefined;
};

/** Keeps one worker process alive. */
export class WorkerKeeper {
  /** What it is told to put into force. */
  readonly orders = new SnapshotOrders((message) => this.send(message));
  #id: string;
  readonly #options: KeeperOptions;
  readonly #restarts: Restarts;
  readonly #stop = new AbortController();
  readonly #kept: Promise<void>;
  #process: WorkerProcess | undefined;
  /** That of the present process, or of the one before it. */
  #lastPid: number | undefined;
  #link: WorkerLink | undefined;
  #state: WorkerState = "starting";
  #revision = 0;
  #listeners: readonly ListenerStatus[] = [];
  #isLeft = false;
  #region: number | undefined;
  #handover: HandoverOrder | undefined;
  /** The region that its successor gets. */
  #heirRegion: number | undefined;
  #drained: { readonly closed: number; readonly destroyed: number } | undefined;

  constructor(options: KeeperOptions) {
    this.#id = options.id;
    this.#options = options;
    this.#restarts = new Restarts({ backoff: options.backoff, before: options.restarts });
    this.#kept = this.#keep(options.survivor);
  }

  get id(): string {
    return this.#id;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** How often a worker was started anew after it ended unasked. */
  get restarts(): number {
    return this.#restarts.count;
  }

  /** How often it ended in a row within seconds of its start; 0 again once one has lasted. */
  get failures(): number {
    return this.#process !== undefined && this.#restarts.hasLasted ? 0 : this.#restarts.failures;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** When the present process was started, or found: Unix milliseconds. */
  get startedAt(): number {
    return this.#restarts.startedAt;
  }

  /** True while it can be told and asked something. */
  get isLinked(): boolean {
    return this.#link !== undefined;
  }

  /** What it has in force; 0 if nothing. */
  get revision(): number {
    return this.#revision;
  }

  get listeners(): readonly ListenerStatus[] {
    return this.#listeners;
  }

  /** Resolves when there is no worker any more, and will be none. */
  get gone(): Promise<void> {
    return this.#kept;
  }

  /** Its region of the memory that workers share. */
  get region(): number | undefined {
    return this.#region;
  }

  /** True for the process whose successor is on its way. */
  isSucceededBy({ worker, succeeds }: Hello): boolean {
    return worker === this.#id && succeeds !== undefined && succeeds.pid === this.#lastPid;
  }

  /** True until its successor has called, or has failed. */
  get isHandingOver(): boolean {
    return this.#handover !== undefined && this.#state !== "lingering";
  }

  /** The region of its successor, if one is on its way. */
  get successorRegion(): number | undefined {
    return this.#heirRegion;
  }

  /** Has the worker start a successor and hand over to it. Resolves when that serves, or with what stood against it. */
  async upgrade(order: UpgradeOrder): Promise<UpgradeResult> {
    const { pid } = this;
    if (pid === undefined || this.#link === undefined || this.#state !== "serving" || this.#handover !== undefined)
      return { failed: `worker ${this.#id} does not serve` };
    const region = this.#options.memory.assign();
    this.#link.send({ type: "upgrade", region, ...order });
    return this.#follow(new HandoverOrder(this.#id, pid), region);
  }

  async #follow(handover: HandoverOrder, region: number): Promise<UpgradeResult> {
    this.#handover = handover;
    this.#heirRegion = region;
    const result = await handover.settled();
    if ("failed" in result && this.#handover === handover) this.#forgetHandover();
    return result;
  }

  /** Nobody takes over. */
  #forgetHandover(): void {
    this.#handover = undefined;
    if (this.#heirRegion !== undefined) this.#options.memory.release(this.#heirRegion);
    this.#heirRegion = undefined;
  }

  /** Its successor serves: what is left of it ends by itself, and nobody takes its place. `id` is its name from now on. */
  linger(id: string): void {
    this.#state = "lingering";
    this.#restarts.handOn();
    this.#id = id;
    this.#stop.abort();
  }

  /** False if it cannot be told anything. */
  send(message: ToWorker): boolean {
    this.#link?.send(message);
    return this.#link !== undefined;
  }

  /** Asks the worker; throws an AskError. */
  async ask<Q extends Question>(question: Q, deadlineMs: number): Promise<Extract<Answer, { about: Q["about"] }>> {
    if (this.#link === undefined)
      throw new AskError("unavailable", `worker ${this.id} is not running; it is being started`);
    return this.#link.ask(question, deadlineMs);
  }

  /** Ends the worker's sessions by `plan` and then the worker; one that takes longer than `graceMs` + 1 s is killed. */
  async drain(plan: DrainPlan): Promise<DrainResult> {
    this.#state = "draining";
    this.#stop.abort();
    const running = this.#process;
    if (this.#link === undefined) running?.kill();
    else this.#link.send({ type: "drain", plan });
    const late = Symbol("late");
    const isKilled = (await within(this.#kept, plan.graceMs + 1000, late)) === late;
    if (isKilled) running?.kill();
    await this.#kept;
    return { closed: this.#drained?.closed ?? 0, destroyed: this.#drained?.destroyed ?? 0, isKilled };
  }

  /** Ends the worker at once. */
  async end(): Promise<void> {
    this.#stop.abort();
    this.#process?.kill();
    await this.#kept;
  }

  /** The worker serves on when this process ends. */
  leave(): void {
    this.#isLeft = true;
    this.#stop.abort();
    this.#process?.leave();
    this.#link?.destroy();
  }

  /** Ends the process for a reason that is logged already; another one is started. */
  replace(): void {
    this.#process?.kill();
  }

  /** True if this link is that of the worker kept here; otherwise nothing has happened. */
  greet(link: WorkerLink, hello: Hello): boolean {
    const running = this.#process;
    if (this.#link !== undefined || hello.worker !== this.id || hello.pid !== running?.pid) return false;
    if (hello.protocol !== workerProtocol) {
      this.#options.log.speaksOtherwise(hello);
      running.kill();
      return true;
    }
    this.#link = link;
    this.#region ??= hello.region;
    const { successor } = hello;
    // The control process before this one has told it to.
    if (successor !== undefined && this.#handover === undefined) {
      const handover = new HandoverOrder(this.#id, hello.pid);
      handover.successor = successor;
      void this.#follow(handover, successor.region);
    }
    this.#revision = hello.revision;
    this.#listeners = hello.listeners;
    if (hello.revision > 0 && this.#state === "starting") this.#serves();
    this.#options.listener.onCall(this);
    return true;
  }

  /** The link is gone; `fault` says what was wrong if it was not simply closed. */
  hungUp(link: WorkerLink, fault: string | undefined): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.orders.ended("it hung up");
    if (fault !== undefined) this.#options.log.broke(this.id, fault);
    const running = this.#process;
    // A worker without a link cannot be told anything, so it must not go on.
    after(hangUpMs, () => {
      if (running !== undefined && this.#process === running && !this.#stop.signal.aborted) running.kill();
    });
  }

  hear(link: WorkerLink, message: FromWorker): void {
    if (link !== this.#link) return link.destroy();
    if (message.type === "applied") this.#applied(message.revision, message.listeners);
    if (message.type === "prepared" || message.type === "applied" || message.type === "refused")
      this.orders.hear(message);
    else if (message.type === "drained") this.#drained = message;
    else if (message.type === "hello") link.destroy("it said hello twice");
    else {
      if (isHandoverNews(message)) this.#handover?.hear(message);
      this.#options.listener.onMessage(this, message);
    }
  }

  async #keep(survivor: WorkerProcess | undefined): Promise<void> {
    let found = survivor;
    while (!this.#stop.signal.aborted) {
      const how = await this.#runOnce(found);
      found = undefined;
      if (this.#isLeft) break;
      // Its successor may have everything already, and be about to say so.
      if (this.#handover !== undefined) await this.#awaitSuccessor(how);
      const had = this.#releaseRegion();
      if (!this.#stop.signal.aborted) await this.#recover(how, had);
    }
    this.#state = "ended";
  }

  async #awaitSuccessor(how: string): Promise<void> {
    await this.#handover?.abandoned(this.#stop.signal);
    this.#handover?.fail(`worker ${this.#id} ended (${how}) while it handed over`);
    // A successor that has said that it serves, and then died before it called, is none either.
    if (!this.#stop.signal.aborted) this.#forgetHandover();
  }

  #releaseRegion(): Tally | undefined {
    const region = this.#region;
    this.#region = undefined;
    return region === undefined ? undefined : this.#options.memory.release(region);
  }

  async #recover(how: string, had: Tally | undefined): Promise<void> {
    this.#state = "starting";
    const waitMs = this.#restarts.next();
    this.#options.log.ended(this.id, { how, had, restarts: this.restarts, waitMs });
    this.#options.listener.onEnded(this, how);
    await sleep(waitMs, this.#stop.signal);
  }

  async #runOnce(found: WorkerProcess | undefined): Promise<string> {
    try {
      this.#process = found ?? this.#start();
    } catch (error) {
      return `it could not be started: ${error instanceof Error ? error.message : String(error)}`;
    }
    const running = this.#process;
    this.#lastPid = running.pid;
    this.#restarts.begin();
    const cancel = after(callMs, () => this.#killSilent(running));
    const how = await running.ended;
    cancel();
    this.#process = undefined;
    this.#revision = 0;
    this.#link?.destroy();
    this.#link = undefined;
    this.orders.ended(how);
    return how;
  }

  #start(): WorkerProcess {
    const { start, control, memory } = this.#options;
    const region = memory.assign();
    this.#region = region;
    return start({ control, id: this.id, region });
  }

  #killSilent(running: WorkerProcess): void {
    if (this.#link !== undefined) return;
    this.#options.log.silent(this.id, callMs);
    running.kill();
  }

  #applied(revision: number, listeners: readonly ListenerStatus[]): void {
    this.#revision = revision;
    this.#listeners = listeners;
    if (this.#state === "starting") this.#serves();
  }

  #serves(): void {
    this.#state = "serving";
    if (!this.#restarts.isAny) return;
    this.#options.log.servesAgain(this.id, { pid: this.pid, restarts: this.restarts, revision: this.#revision });
  }
}
