import type { Socket } from "node:net";
import type { AccessRecord } from "../../core/access-record.ts";
import type { UpstreamNotice } from "../../core/endpoint-state.ts";
import type { ListenerStatus, MetricFamily } from "../../core/figures.ts";
import type { Snapshot, UpstreamSettings } from "../../core/snapshot.ts";
import type {
  Answer,
  DrainPlan,
  FromWorker,
  Hello,
  Question,
  SnapshotTerms,
  ToWorker,
} from "../../core/worker-protocol.ts";
import { guestPrefixes, lingeringName } from "../../core/worker-protocol.ts";
import type { Backoff } from "../../kit/backoff.ts";
import { sleep, within } from "../../kit/sleep.ts";
import type { EventLog } from "../event-log.ts";
import { ControlSocket } from "./control-socket.ts";
import type { UpgradeOrder } from "./handover-order.ts";
import { KeptFigures } from "./kept-figures.ts";
import { mergeAnswers, mergeListeners } from "./merge-answers.ts";
import type { RuntimeFolder } from "./runtime-folder.ts";
import { SharedFile } from "./shared-file.ts";
import { SnapshotKeeper, type SnapshotListener } from "./snapshot-keeper.ts";
import { type UpgradeReport, upgradeInTurn } from "./upgrade-in-turn.ts";
import { type DrainResult, WorkerKeeper, type WorkerState } from "./worker-keeper.ts";
import { AskError, WorkerLink } from "./worker-link.ts";
import { WorkerLog } from "./worker-log.ts";
import { adoptWorker, type StartWorker, type WorkerProcess } from "./worker-process.ts";

/** How long the workers of a control process before this one may take to call (ms). */
const survivorMs = 5000;
/** How long a handover may go on that the control process before this one has ordered, and how often that is looked at (ms). */
const handoverMs = 30_000;
const lookMs = 5;
/** A process that is there already, and how often those before it were started anew. */
type FoundProcess = { readonly process: WorkerProcess; readonly restarts: number };

/** Who hears what becomes of snapshots and what workers report. */
export type WorkersListener = SnapshotListener & {
  readonly onRecords: (records: readonly AccessRecord[], dropped: number) => void;
  readonly onNotice?: (worker: string, notice: UpstreamNotice) => void;
};

/** What workers are started with, and who hears of them. */
export type WorkersOptions = {
  readonly folder: RuntimeFolder;
  readonly start: StartWorker;
  readonly listener: WorkersListener;
  readonly log: EventLog;
  /** What a worker that calls is told before anything else. */
  readonly greeting?: () => readonly ToWorker[];
  /** Makes the waits between one worker's starts; each has its own. */
  readonly backoff?: () => Backoff;
};

/** What workers that were there before have in force. */
export type Resumed = { readonly revision: number; readonly listeners: readonly ListenerStatus[] };

/** The worker processes: as many as are wanted, and all equal to the newest good snapshot. */
export class Workers implements AsyncDisposable {
  readonly #options: WorkersOptions;
  readonly #memory: SharedFile;
  readonly #snapshots: SnapshotKeeper;
  readonly #log: WorkerLog;
  readonly #kept = new KeptFigures();
  #control: ControlSocket | undefined;
  #keepers: readonly WorkerKeeper[] = [];
  /** Those that are not wanted any more, until their last session has ended. */
  readonly #surplus = new Set<WorkerKeeper>();
  #wanted = 0;
  readonly #everyoneCalled = Promise.withResolvers<void>();
  #isDraining = false;

  private constructor(options: WorkersOptions, memory: SharedFile) {
    this.#options = options;
    this.#memory = memory;
    this.#log = new WorkerLog(options.log);
    this.#snapshots = new SnapshotKeeper({
      workers: () => this.#keepers,
      log: this.#log,
      listener: {
        onApplied: (revision, listeners) => this.#onApplied(revision, listeners),
        onRefused: options.listener.onRefused,
      },
    });
  }

  /** Listens for workers, and finds those that a killed control process has left. */
  static async open(options: WorkersOptions): Promise<Workers> {
    const workers = new Workers(options, SharedFile.open(options.folder.sharedPath));
    workers.#control = await ControlSocket.open(options.folder.socketPath, (socket) => workers.#welcome(socket));
    await workers.#adopt();
    return workers;
  }

  /** All of them, those that end when their last session does included. */
  get all(): readonly WorkerKeeper[] {
    return [...this.#keepers, ...this.#surplus];
  }

  /** Serving as soon as one of them is. */
  get state(): WorkerState {
    if (this.#isDraining) return this.#keepers.every(({ state }) => state === "ended") ? "ended" : "draining";
    return this.#keepers.some(({ state }) => state === "serving") ? "serving" : "starting";
  }

  /** How often a worker was started anew after one ended unasked. */
  get restarts(): number {
    return this.all.reduce((sum, keeper) => sum + keeper.restarts, 0);
  }

  /** What survivors brought with them; undefined if there were none. */
  get resumed(): Resumed | undefined {
    const found = this.#keepers.filter(({ revision }) => revision > 0);
    if (found.length === 0) return undefined;
    const revision = Math.max(...found.map((keeper) => keeper.revision));
    return { revision, listeners: mergeListeners(found.map(({ listeners }) => listeners)) };
  }

  /** Has so many workers run; those that are too many end when their sessions have. */
  want(count: number): void {
    if (this.#control === undefined || this.#isDraining) return;
    this.#wanted = count;
    this.#retireSurplus();
    const ids = new Set(this.#keepers.map(({ id }) => id));
    for (let number = 1; this.#keepers.length < count; number++) {
      const id = String(number);
      if (!ids.has(id) && ![...this.#surplus].some((keeper) => keeper.id === id)) this.#keep(id);
    }
  }

  /** Puts a snapshot into force on all workers, or on none; the listener hears which. A newer one takes the place of one that waits. */
  apply(snapshot: Snapshot): void {
    this.#snapshots.apply(snapshot);
  }

  /** These upstreams of what is in force have other endpoints now. */
  refresh(upstreams: readonly UpstreamSettings[]): void {
    this.#snapshots.refresh(upstreams);
    this.send({ type: "upstreams", upstreams });
  }

  /** Goes with every snapshot from now on; workers hear of it at once. */
  useTerms(terms: SnapshotTerms): void {
    if (this.#snapshots.useTerms(terms)) this.send({ type: "terms", terms });
  }

  /** Tells all workers that are there. */
  send(message: ToWorker): void {
    for (const keeper of this.all) keeper.send(message);
  }

  /** Asks all workers that are there, and adds up what they say; throws an AskError if one of them does not answer. */
  async ask<Q extends Question>(question: Q, deadlineMs: number): Promise<Extract<Answer, { about: Q["about"] }>> {
    const linked = this.all.filter(({ isLinked }) => isLinked);
    const meant = "filter" in question ? question.filter.worker : undefined;
    const asked = meant === undefined ? linked : linked.filter(({ id }) => id === meant);
    if (linked.length === 0) throw new AskError("unavailable", "no worker is running; one is being started");
    const answers = asked.map(async (keeper) => ({
      worker: keeper.id,
      answer: await keeper.ask(question, deadlineMs),
    }));
    return mergeAnswers(question, await Promise.all(answers));
  }

  /** The figures of each worker, and what those have counted that are gone. Those of one that does not answer are missing. */
  async metrics(deadlineMs: number): Promise<readonly { process: string; families: readonly MetricFamily[] }[]> {
    const answers = this.all.map(async (keeper) => {
      const asked = keeper.ask({ about: "metrics" }, deadlineMs).then(({ families }) => families);
      const families = await asked.catch(() => undefined);
      if (families !== undefined) this.#kept.note(keeper, families);
      return { keeper, hasAnswered: families !== undefined };
    });
    // All at one moment: one that ended while others were asked is among those that are gone.
    const reports = (await Promise.all(answers)).map(({ keeper, hasAnswered }) => ({
      process: `worker-${keeper.id}`,
      families: hasAnswered ? this.#kept.of(keeper) : [],
    }));
    return [...reports, { process: "ended", families: this.#kept.families }];
  }

  /** Hands each worker over to a successor, one after the other, until one of them fails. */
  upgrade(order: UpgradeOrder): Promise<readonly UpgradeReport[]> {
    return upgradeInTurn(this.#keepers, order, this.#log);
  }

  /** Ends the sessions of all workers by `plan`, and then the workers. */
  async drain(plan: DrainPlan): Promise<DrainResult> {
    this.#isDraining = true;
    const results = await Promise.all(this.all.map((keeper) => keeper.drain(plan)));
    return {
      closed: results.reduce((sum, { closed }) => sum + closed, 0),
      destroyed: results.reduce((sum, { destroyed }) => sum + destroyed, 0),
      isKilled: results.some(({ isKilled }) => isKilled),
    };
  }

  /** Ends all processes at once, and waits for nothing. */
  kill(): void {
    for (const keeper of this.all) keeper.replace();
  }

  /** Everything serves on when this process ends, and waits for the next control process. */
  leave(): void {
    this.#isDraining = true;
    for (const keeper of this.all) keeper.leave();
    this.#options.folder.leave();
    this.#control?.[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDraining = true;
    await Promise.all(this.all.map((keeper) => keeper.end()));
    this.#control?.[Symbol.dispose]();
    this.#memory[Symbol.dispose]();
  }

  /** Waits until survivors have called; one that does not is dealt with like any worker that is silent. */
  async #adopt(): Promise<void> {
    const { folder } = this.#options;
    for (const guest of folder.survivors) {
      const process = adoptWorker(guest);
      if (process === undefined) continue;
      const [, kind, id = ""] = /^([a-z]+-)(.+)$/.exec(guest.name) ?? [];
      if (kind === guestPrefixes.worker) this.#keep(id, { process, restarts: 0 });
      else if (kind === guestPrefixes.lingering) this.#letLinger(this.#newKeeper(id, { process, restarts: 0 }), id);
    }
    if (this.#keepers.length === 0) return;
    await within(this.#everyoneCalled.promise, survivorMs, undefined);
    await this.#awaitHandovers();
    const found = this.all.filter(({ isLinked }) => isLinked);
    // Of those that died meanwhile nothing is to be counted any more.
    this.#memory.keepOnly(
      new Set(found.flatMap(({ region, successorRegion }) => [region ?? [], successorRegion ?? []].flat())),
    );
    this.#log.adopted(found);
  }

  /** A worker that is about to give way to a successor cannot be told what to put into force. */
  async #awaitHandovers(): Promise<void> {
    const isUnderWay = (): boolean => this.#keepers.some(({ isHandingOver }) => isHandingOver);
    for (let waitedMs = 0; isUnderWay() && waitedMs < handoverMs; waitedMs += lookMs) await sleep(lookMs);
  }

  #keep(id: string, found?: FoundProcess): WorkerKeeper {
    const keeper = this.#newKeeper(id, found);
    this.#keepers = [...this.#keepers, keeper].sort((one, other) => Number(one.id) - Number(other.id));
    return keeper;
  }

  #newKeeper(id: string, found?: FoundProcess): WorkerKeeper {
    const { folder, start, backoff } = this.#options;
    return new WorkerKeeper({
      id,
      control: folder.socketPath,
      memory: this.#memory,
      start,
      log: this.#log,
      backoff: backoff?.(),
      survivor: found?.process,
      restarts: found?.restarts,
      listener: {
        onCall: (caller) => this.#onCall(caller),
        onEnded: (ended, how) => this.#onEnded(ended, how),
        onMessage: (from, message) => this.#onMessage(from, message),
      },
    });
  }

  #retireSurplus(): void {
    // A worker is taken out of the ports by a snapshot, so there has to be one.
    if (this.#snapshots.good !== undefined)
      for (const keeper of this.#keepers.slice(this.#wanted)) void this.#retire(keeper);
  }

  /** Takes a worker out of the ports, ends its sessions, and then itself. */
  async #retire(keeper: WorkerKeeper): Promise<void> {
    this.#keepers = this.#keepers.filter((other) => other !== keeper);
    this.#surplus.add(keeper);
    // Without its listeners the kernel gives new connections to the others.
    const { good, terms } = this.#snapshots;
    if (good !== undefined) keeper.send({ type: "snapshot", snapshot: { ...good, listeners: [] } });
    const plan = terms?.drain ?? { windowMs: 0, graceMs: 0, code: 1012, reason: "" };
    await keeper.drain(plan);
    this.#surplus.delete(keeper);
    this.#kept.keep(keeper);
    // Its number may be wanted again.
    this.want(this.#wanted);
  }

  /** A connection counts as a worker's once it says hello. */
  #welcome(socket: Socket): void {
    let owner: WorkerKeeper | undefined;
    const link: WorkerLink = new WorkerLink(socket, {
      onMessage: (message) => {
        if (owner !== undefined) return owner.hear(link, message);
        if (message.type === "hello")
          owner = this.#succeed(link, message) ?? this.all.find((keeper) => keeper.greet(link, message));
        if (owner === undefined) link.destroy();
      },
      onClose: (fault) => owner?.hungUp(link, fault),
    }).open();
  }

  /** The successor of a worker takes its place; undefined for all others. */
  #succeed(link: WorkerLink, hello: Hello): WorkerKeeper | undefined {
    const before = this.#keepers.find((keeper) => keeper.isSucceededBy(hello));
    if (before === undefined || hello.succeeds === undefined) return undefined;
    const survivor = adoptWorker({ name: `${guestPrefixes.worker}${hello.worker}`, mark: hello.succeeds.mark });
    if (survivor === undefined) return undefined;
    const { restarts } = before;
    this.#kept.handOver(before);
    this.#keepers = this.#keepers.filter((keeper) => keeper !== before);
    this.#letLinger(before, lingeringName(before.id, hello.succeeds.pid));
    const successor = this.#keep(hello.worker, { process: survivor, restarts });
    return successor.greet(link, hello) ? successor : undefined;
  }

  /** Stays until its last session has ended. */
  #letLinger(keeper: WorkerKeeper, id: string): void {
    keeper.linger(id);
    this.#surplus.add(keeper);
    void keeper.gone.then(() => {
      this.#surplus.delete(keeper);
      this.#kept.keep(keeper);
    });
  }

  #onCall(caller: WorkerKeeper): void {
    const { greeting } = this.#options;
    for (const message of greeting?.() ?? []) caller.send(message);
    if (this.all.every(({ isLinked }) => isLinked)) this.#everyoneCalled.resolve();
    void this.#snapshots.work();
  }

  #onEnded(keeper: WorkerKeeper, how: string): void {
    this.#kept.keep(keeper);
    if (this.#snapshots.good === undefined && this.resumed === undefined) this.#snapshots.giveUp(how);
  }

  #onApplied(revision: number, listeners: readonly ListenerStatus[]): void {
    this.#options.listener.onApplied(revision, listeners);
    this.#retireSurplus();
  }

  #onMessage(keeper: WorkerKeeper, message: FromWorker): void {
    const { listener } = this.#options;
    const { id } = keeper;
    if (message.type === "records") listener.onRecords(message.records, message.dropped);
    if (message.type === "handed-over" && message.families !== undefined)
      this.#kept.noteHandedOver(keeper, message.families);
    if (message.type === "farewell") this.#kept.keepFarewell(keeper, message.families);
    if (message.type === "notice") listener.onNotice?.(id, message.notice);
    if (message.type === "log") this.#log.said(id, message);
  }
}
