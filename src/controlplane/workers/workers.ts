import type { Socket } from "node:net";
import type { AccessRecord } from "../../core/access-record.ts";
import type { UpstreamNotice } from "../../core/endpoint-state.ts";
import type { ListenerStatus, MetricFamily } from "../../core/figures.ts";
import type { Issue } from "../../core/issue.ts";
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
import { guestPrefixes } from "../../core/worker-protocol.ts";
import type { Backoff } from "../../kit/backoff.ts";
import { counted } from "../../kit/counted.ts";
import { sleep, within } from "../../kit/sleep.ts";
import type { EventLog } from "../event-log.ts";
import { ControlSocket } from "./control-socket.ts";
import { KeptFigures } from "./kept-figures.ts";
import { mergeAnswers, mergeListeners } from "./merge-answers.ts";
import { lost, rollOut, withPorts } from "./rollout.ts";
import type { RuntimeFolder } from "./runtime-folder.ts";
import { SharedFile } from "./shared-file.ts";
import { type DrainResult, type UpgradeResult, WorkerKeeper, type WorkerState } from "./worker-keeper.ts";
import { AskError, WorkerLink } from "./worker-link.ts";
import { adoptWorker, type StartWorker, type WorkerProcess } from "./worker-process.ts";

/** How long the workers of a control process before this one may take to call (ms). */
const survivorMs = 5000;
/** How long a successor that has taken over may take to call (ms), and how often that is looked at. */
const successorMs = 5000;
const lookMs = 5;

/** A process that is there already, and how often those before it were started anew. */
type FoundProcess = { readonly process: WorkerProcess; readonly restarts: number };

/** Who hears what becomes of snapshots and what workers report. */
export type WorkersListener = {
  readonly onApplied: (revision: number, listeners: readonly ListenerStatus[]) => void;
  readonly onRefused: (revision: number, issues: readonly Issue[]) => void;
  readonly onRecords: (records: readonly AccessRecord[], dropped: number) => void;
  readonly onNotice?: (worker: string, notice: UpstreamNotice) => void;
};

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

/** How the successors are called (without arguments), and how long a worker stays for what cannot be handed over (ms). */
export type UpgradeOrder = { readonly command: readonly string[]; readonly lingerMs: number };

/** What became of one worker. */
export type UpgradeReport = { readonly worker: string } & UpgradeResult;

/** What workers that were there before have in force. */
export type Resumed = { readonly revision: number; readonly listeners: readonly ListenerStatus[] };

/** The worker processes: as many as are wanted, and all equal to the newest good snapshot. */
export class Workers implements AsyncDisposable {
  readonly #options: WorkersOptions;
  readonly #memory: SharedFile;
  readonly #kept = new KeptFigures();
  #control: ControlSocket | undefined;
  #keepers: readonly WorkerKeeper[] = [];
  /** Those that are not wanted any more, until their last session has ended. */
  readonly #surplus = new Set<WorkerKeeper>();
  #wanted = 0;
  #good: Snapshot | undefined;
  #next: Snapshot | undefined;
  #terms: SnapshotTerms | undefined;
  #isRollingOut = false;
  readonly #broughtUp = new Set<WorkerKeeper>();
  readonly #everyoneCalled = Promise.withResolvers<void>();
  #isDraining = false;

  private constructor(options: WorkersOptions, memory: SharedFile) {
    this.#options = options;
    this.#memory = memory;
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
    this.#next = snapshot;
    void this.#work();
  }

  /** These upstreams of what is in force have other endpoints now. */
  refresh(upstreams: readonly UpstreamSettings[]): void {
    const byName = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
    // Workers that start later get what is in force as a whole.
    if (this.#good !== undefined) {
      const current = this.#good.upstreams.map((upstream) => byName.get(upstream.name) ?? upstream);
      this.#good = { ...this.#good, upstreams: current };
    }
    this.send({ type: "upstreams", upstreams });
  }

  /** Goes with every snapshot from now on; workers hear of it at once. */
  useTerms(terms: SnapshotTerms): void {
    if (Bun.deepEquals(this.#terms, terms)) return;
    this.#terms = terms;
    this.send({ type: "terms", terms });
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
    const reports = this.all.map(async (keeper) => {
      const asked = keeper.ask({ about: "metrics" }, deadlineMs).then(({ families }) => families);
      const families = await asked.catch(() => undefined);
      if (families !== undefined) this.#kept.note(keeper.id, families);
      return { process: `worker-${keeper.id}`, families: families ?? [] };
    });
    return [...(await Promise.all(reports)), { process: "ended", families: this.#kept.families }];
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
    const { folder, log } = this.#options;
    for (const guest of folder.survivors) {
      const process = adoptWorker(guest);
      if (process === undefined) continue;
      const [, kind, id = ""] = /^([a-z]+-)(.+)$/.exec(guest.name) ?? [];
      if (kind === guestPrefixes.worker) this.#keep(id, { process, restarts: 0 });
      else if (kind === guestPrefixes.lingering) this.#letLinger(this.#newKeeper(id, { process, restarts: 0 }));
    }
    if (this.#keepers.length === 0) return;
    await within(this.#everyoneCalled.promise, survivorMs, undefined);
    const found = this.all.filter(({ isLinked }) => isLinked);
    // Of those that died meanwhile nothing is to be counted any more.
    this.#memory.keepOnly(new Set(found.flatMap(({ region }) => region ?? [])));
    const workers = found.map(({ id, pid, revision }) => ({ worker: id, pid, revision }));
    log.info("workers-adopted", `${found.length} workers of the control process before this one serve on`, { workers });
  }

  #keep(id: string, found?: FoundProcess): WorkerKeeper {
    const keeper = this.#newKeeper(id, found);
    this.#keepers = [...this.#keepers, keeper].sort((one, other) => Number(one.id) - Number(other.id));
    return keeper;
  }

  #newKeeper(id: string, found?: FoundProcess): WorkerKeeper {
    const { folder, start, log, backoff } = this.#options;
    return new WorkerKeeper({
      id,
      control: folder.socketPath,
      memory: this.#memory,
      start,
      log,
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
    if (this.#good !== undefined) for (const keeper of this.#keepers.slice(this.#wanted)) void this.#retire(keeper);
  }

  /** Takes a worker out of the ports, ends its sessions, and then itself. */
  async #retire(keeper: WorkerKeeper): Promise<void> {
    this.#keepers = this.#keepers.filter((other) => other !== keeper);
    this.#surplus.add(keeper);
    // Without its listeners the kernel gives new connections to the others.
    if (this.#good !== undefined) keeper.send({ type: "snapshot", snapshot: { ...this.#good, listeners: [] } });
    const plan = this.#terms?.drain ?? { windowMs: 0, graceMs: 0, code: 1012, reason: "" };
    await keeper.drain(plan);
    this.#surplus.delete(keeper);
    this.#kept.keep(keeper.id);
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
    this.#kept.forget(hello.worker);
    this.#keepers = this.#keepers.filter((keeper) => keeper !== before);
    this.#letLinger(before);
    const successor = this.#keep(hello.worker, { process: survivor, restarts });
    return successor.greet(link, hello) ? successor : undefined;
  }

  /** Stays until its last session has ended. */
  #letLinger(keeper: WorkerKeeper): void {
    keeper.linger();
    this.#surplus.add(keeper);
    void keeper.gone.then(() => {
      this.#surplus.delete(keeper);
      this.#kept.keep(keeper.id);
    });
  }

  /** Hands each worker over to a successor, one after the other, until one of them fails. */
  async upgrade(order: UpgradeOrder): Promise<readonly UpgradeReport[]> {
    const reports: UpgradeReport[] = [];
    for (const keeper of this.#keepers) {
      const { id } = keeper;
      const result = await keeper.upgrade(order);
      reports.push({ worker: id, ...result });
      this.#logUpgrade(id, result);
      if ("failed" in result) break;
      // The next one stops accepting only when this one's successor is known here.
      for (let waitedMs = 0; keeper.state === "serving" && waitedMs < successorMs; waitedMs += lookMs)
        await sleep(lookMs);
    }
    return reports;
  }

  #logUpgrade(worker: string, result: UpgradeResult): void {
    const { log } = this.#options;
    if ("failed" in result) {
      const says = `worker ${worker} was not handed over and serves on: ${result.failed}`;
      return log.error("upgrade-failed", says, { worker, why: result.failed });
    }
    const { pid, sessions, connections, pausedMs } = result;
    const what = `${counted(sessions, "session")} and ${counted(connections, "connection")}`;
    const says = `worker ${worker} has handed over ${what} to process ${pid}, in ${Math.round(pausedMs)} ms`;
    log.info("worker-upgraded", says, { worker, pid, sessions, connections, pausedMs: Math.round(pausedMs) });
  }

  #onCall(caller: WorkerKeeper): void {
    const { greeting } = this.#options;
    for (const message of greeting?.() ?? []) caller.send(message);
    if (this.all.every(({ isLinked }) => isLinked)) this.#everyoneCalled.resolve();
    void this.#work();
  }

  #onEnded({ id }: WorkerKeeper, how: string): void {
    this.#kept.keep(id);
    const isFirst = this.#good === undefined && this.resumed === undefined;
    // A first worker that does not even call will not do better the next time.
    if (!isFirst || this.#isRollingOut || this.#next === undefined) return;
    const { revision } = this.#next;
    this.#next = undefined;
    const says = `a worker ended (${how}) while it put revision ${revision} into force`;
    this.#options.listener.onRefused(revision, [lost(says)]);
  }

  #onMessage({ id }: WorkerKeeper, message: FromWorker): void {
    const { listener, log } = this.#options;
    if (message.type === "records") listener.onRecords(message.records, message.dropped);
    if (message.type === "farewell") this.#kept.keep(id, message.families);
    if (message.type === "notice") listener.onNotice?.(id, message.notice);
    if (message.type !== "log") return;
    const detail = message.detail === undefined ? {} : { detail: message.detail };
    log[message.level]("worker", message.says, { worker: id, ...detail });
  }

  /** The newest snapshot first, and then what is in force for those that do not have it. */
  async #work(): Promise<void> {
    if (this.#isRollingOut) return;
    this.#isRollingOut = true;
    try {
      for (let next = this.#take(); next !== undefined; next = this.#take()) await this.#rollOut(next);
    } finally {
      this.#isRollingOut = false;
    }
    for (const keeper of this.#keepers) void this.#bringUp(keeper);
  }

  /** The first snapshot waits for all workers, a later one for any. */
  #take(): Snapshot | undefined {
    const linked = this.#keepers.filter(({ isLinked }) => isLinked).length;
    if (linked === 0 || (this.#good === undefined && linked < this.#keepers.length)) return undefined;
    const next = this.#next;
    this.#next = undefined;
    return next;
  }

  async #rollOut(snapshot: Snapshot): Promise<void> {
    const { listener } = this.#options;
    const { revision } = snapshot;
    const wanted = withPorts(snapshot, this.#listeners());
    const linked = this.#keepers.filter(({ isLinked }) => isLinked);
    const result = await rollOut(wanted, linked, this.#terms);
    if ("issues" in result) return listener.onRefused(revision, result.issues);
    this.#good = result.snapshot;
    listener.onApplied(revision, this.#listeners());
    this.#retireSurplus();
  }

  /** Gives a worker what the others have. */
  async #bringUp(keeper: WorkerKeeper): Promise<void> {
    const good = this.#good;
    if (good === undefined || !keeper.isLinked || keeper.revision === good.revision) return;
    if (this.#broughtUp.has(keeper)) return;
    this.#broughtUp.add(keeper);
    const verdict = await keeper.install(good, this.#terms);
    this.#broughtUp.delete(keeper);
    if (verdict.kind === "done") return this.#options.listener.onApplied(good.revision, this.#listeners());
    if (verdict.kind !== "refused") return;
    // A new worker cannot have what the old one had (its port was taken meanwhile, say): try again, ever more slowly.
    for (const { says } of verdict.issues) {
      this.#options.log.error("worker-refused", `worker ${keeper.id}: ${says}`, { worker: keeper.id });
    }
    if (keeper.state === "starting") keeper.replace();
  }

  #listeners(): readonly ListenerStatus[] {
    return mergeListeners(this.#keepers.map(({ listeners }) => listeners));
  }
}
