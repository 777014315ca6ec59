import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { AccessRecord } from "../core/access-record.ts";
import type { DrainOrder } from "../core/drain-order.ts";
import type { ToSuccessor } from "../core/handover.ts";
import type { Snapshot } from "../core/snapshot.ts";
import {
  type Answer,
  type DrainPlan,
  type FromWorker,
  guestPrefixes,
  lingeringName,
  type Question,
  type SnapshotTerms,
  type Successor,
  type ToWorker,
  workerProtocol,
} from "../core/worker-protocol.ts";
import { Gateway, type PreparedSnapshot } from "../dataplane/gateway.ts";
import { counted } from "../kit/counted.ts";
import { quitFolder, visitFolder } from "../kit/owned-folder.ts";
import { markOf, markOfSelf } from "../kit/process-mark.ts";
import { sleep } from "../kit/sleep.ts";
import { TimerWheel } from "../kit/timer-wheel.ts";
import { processMetrics } from "../telemetry/process-metrics.ts";
import { ControlLink } from "./control-link.ts";
import { Inheritance } from "./inheritance.ts";
import { mapMemory } from "./map-memory.ts";
import { RecordBatch } from "./record-batch.ts";
import { rehearse } from "./rehearsal.ts";
import { Succession } from "./succession.ts";

/** What the control process starts a worker with: its socket, the name of the worker, and what it shares. */
export type WorkerOptions = {
  readonly control: string;
  readonly id: string;
  /** What it shares with the other workers. */
  readonly memory: { readonly path: string; readonly region: number };
  /** True if it shall end when the control process is lost, instead of waiting for the next one. */
  readonly isTied: boolean;
};

/** How long a worker waits before it looks for a control process again (ms). */
const callAgainMs = 100;
/** How often a worker that lingers looks whether its last session has ended (ms). */
const lingerLookMs = 200;

/** Why a worker ends: it was told to, the control process has gone, or a successor has everything. */
export type WorkerEnd = "drained" | "control-lost" | "succeeded";

/** One worker: a gateway that does what the control process says, and reports to it. */
export class Worker {
  readonly #wheel: TimerWheel;
  readonly #gateway: Gateway;
  readonly #ended = Promise.withResolvers<WorkerEnd>();
  readonly #options: WorkerOptions;
  readonly #records: RecordBatch;
  #isDraining = false;
  #link: ControlLink | undefined;
  #terms: SnapshotTerms | undefined;
  #prepared: { readonly prepared: PreparedSnapshot; readonly snapshot: Snapshot } | undefined;
  /** What is in force. */
  #snapshot: Snapshot | undefined;
  #drains: readonly DrainOrder[] = [];
  #predecessor: number | undefined;
  /** Given while it hands over, and after. */
  #successor: Successor | undefined;
  #isLingering = false;

  private constructor(options: WorkerOptions) {
    this.#options = options;
    this.#wheel = new TimerWheel({ onError: (thrown) => this.#reportFault("a timer failed", thrown) });
    this.#gateway = new Gateway({
      wheel: this.#wheel,
      memory: mapMemory(options.memory, this.#wheel.clock()),
      onRecord: (record) => this.#record(record),
      onFault: (thrown) => this.#reportFault("a connection failed", thrown),
      onNotice: (notice) => this.#send({ type: "notice", notice }),
    });
    const link = (): ControlLink | undefined => this.#link;
    this.#records = new RecordBatch(
      {
        get queued() {
          return link()?.queued ?? Number.POSITIVE_INFINITY;
        },
        send: (message) => this.#send(message),
      },
      this.#wheel,
    );
  }

  /** Calls the control process. Rejects if nobody listens there. */
  static async start(options: WorkerOptions): Promise<Worker> {
    const worker = new Worker(options);
    await worker.#call();
    return worker;
  }

  /** Takes over what the worker before it had, which has started this process, and then calls the control process. */
  static async succeed(options: WorkerOptions, predecessor: number): Promise<Worker> {
    const { fault } = await rehearse();
    const worker = new Worker(options);
    worker.#predecessor = predecessor;
    const { control, id } = options;
    const inheritance = new Inheritance({
      gateway: worker.#gateway,
      predecessor,
      onBegin: (begin) => worker.#inherit(begin),
      // At once: a control process that is started now has to find whoever has the sessions.
      onServing: () => visitFolder(dirname(control), `${guestPrefixes.worker}${id}`),
    });
    await inheritance.receive();
    await worker.#call().catch(() => worker.#onControlLost());
    if (fault !== undefined) worker.#reportFault("the rehearsal of the handover failed", fault);
    return worker;
  }

  /** Resolves when the worker has nothing left to do. */
  get ended(): Promise<WorkerEnd> {
    return this.#ended.promise;
  }

  /** Somebody wants this process to end. As long as there is a control process, that one decides. */
  terminate(): void {
    if (this.#link === undefined && this.#terms !== undefined) void this.#drain(this.#terms.drain);
  }

  async #call(): Promise<void> {
    const link = await ControlLink.open(this.#options.control, {
      onMessage: (message) => this.#onMessage(message),
      onClose: () => this.#onControlLost(),
    });
    this.#link = link;
    this.#send({
      type: "hello",
      protocol: workerProtocol,
      worker: this.#isLingering ? lingeringName(this.#options.id, process.pid) : this.#options.id,
      pid: process.pid,
      revision: this.#gateway.revision,
      listeners: this.#gateway.listeners,
      region: this.#options.memory.region,
      ...(this.#successor === undefined || this.#isLingering ? {} : { successor: this.#successor }),
      ...(this.#predecessor === undefined ? {} : { succeeds: { pid: this.#predecessor, mark: markOfSelf() } }),
    });
  }

  #onControlLost(): void {
    this.#link = undefined;
    this.#abandon();
    if (this.#isDraining) return;
    // Without a snapshot there is nothing to serve.
    if (this.#options.isTied || this.#gateway.revision === 0) this.#ended.resolve("control-lost");
    else void this.#callAgain();
  }

  /** Serves on with what is in force until there is a control process again; in vain once the folder is gone where it would be. */
  async #callAgain(): Promise<void> {
    while (this.#link === undefined && !this.#isDraining) {
      await sleep(callAgainMs);
      if (existsSync(dirname(this.#options.control))) await this.#call().catch(() => {});
      else this.terminate();
    }
  }

  /** Tells the control process about something that must not happen; traffic goes on. */
  #reportFault(says: string, thrown: unknown): void {
    const detail = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    this.#send({ type: "log", level: "error", says, detail });
  }

  fault(thrown: unknown): void {
    this.#reportFault("something failed that nobody caught", thrown);
  }

  #send(message: FromWorker): void {
    this.#link?.send(message);
  }

  #record(record: AccessRecord): void {
    this.#records.add(record);
  }

  #onMessage(message: ToWorker): void {
    switch (message.type) {
      case "snapshot":
        return this.#apply(message);
      case "prepare":
        return this.#prepare(message.snapshot);
      case "commit":
        return this.#commit(message.revision, message.terms);
      case "abandon":
        return this.#abandon();
      case "terms":
        return this.#useTerms(message.terms);
      case "upstreams":
        return this.#refresh(message.upstreams);
      case "endpoints":
        return this.#gateway.judge(message.verdicts, message.isWhole === true ? "all" : "new");
      case "ask":
        return this.#answer(message.id, message.question);
      case "drains":
        this.#drains = message.orders;
        return this.#gateway.useDrains(message.orders);
      case "challenges":
        return this.#gateway.useChallenges(message.challenges);
      case "upgrade":
        void this.#upgrade(message);
        return;
      case "drain":
        void this.#drain(message.plan);
    }
  }

  #apply({ snapshot, terms }: Extract<ToWorker, { type: "snapshot" }>): void {
    this.#abandon();
    this.#useTerms(terms);
    const issues = this.#gateway.apply(snapshot, this.#terms);
    const { revision } = snapshot;
    if (issues.length === 0) this.#snapshot = snapshot;
    if (issues.length > 0) this.#send({ type: "refused", revision, issues });
    else this.#send({ type: "applied", revision, listeners: this.#gateway.listeners });
  }

  /** What discovery has found is in force for a successor too. */
  #refresh(upstreams: Snapshot["upstreams"]): void {
    this.#gateway.refresh(upstreams);
    if (this.#snapshot === undefined) return;
    const fresh = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
    const known = this.#snapshot.upstreams.map((upstream) => fresh.get(upstream.name) ?? upstream);
    this.#snapshot = { ...this.#snapshot, upstreams: known };
  }

  #prepare(snapshot: Snapshot): void {
    this.#abandon();
    const prepared = this.#gateway.prepare(snapshot);
    const { revision } = snapshot;
    if ("issues" in prepared) return this.#send({ type: "refused", revision, issues: prepared.issues });
    this.#prepared = { prepared, snapshot };
    this.#send({ type: "prepared", revision, listeners: prepared.listeners });
  }

  #commit(revision: number, terms: SnapshotTerms | undefined): void {
    const waiting = this.#prepared;
    if (waiting?.snapshot.revision !== revision) return;
    this.#prepared = undefined;
    this.#useTerms(terms);
    waiting.prepared.commit(this.#terms);
    this.#snapshot = waiting.snapshot;
    this.#send({ type: "applied", revision, listeners: this.#gateway.listeners });
  }

  #abandon(): void {
    this.#prepared?.prepared.abandon();
    this.#prepared = undefined;
  }

  #useTerms(terms: SnapshotTerms | undefined): void {
    if (terms === undefined) return;
    this.#terms = terms;
    this.#gateway.wantsRecords = terms.wantsRecords;
  }

  #answer(id: number, question: Question): void {
    try {
      this.#send({ type: "answer", id, answer: this.#find(question) });
    } catch (error) {
      this.#send({ type: "failed", id, says: error instanceof Error ? error.message : String(error) });
    }
  }

  #find(question: Question): Answer {
    const { sessions } = this.#gateway;
    switch (question.about) {
      case "sessions":
        return { about: "sessions", ...sessions.list(question.filter, question.limit) };
      case "close": {
        const found = sessions.find(question.filter).filter((session) => !session.isClosing);
        const { code, reason } = question;
        for (const session of found) session.close({ reason: "admin", code, text: reason });
        return { about: "close", closed: found.length };
      }
      case "metrics":
        return { about: "metrics", families: [...this.#gateway.metrics(), ...processMetrics()] };
      case "status":
        return { about: "status", status: { ...this.#gateway.status(), residentMemory: process.memoryUsage.rss() } };
    }
  }

  /** What the worker before this one had in force, and was told. */
  #inherit({ snapshot, terms, drains }: Extract<ToSuccessor, { type: "begin" }>): void {
    this.#snapshot = snapshot;
    this.#useTerms(terms);
    this.#drains = drains;
    this.#gateway.useDrains(drains);
  }

  async #upgrade({ command, region, lingerMs }: Extract<ToWorker, { type: "upgrade" }>): Promise<void> {
    const { control, id, isTied } = this.#options;
    const [snapshot, terms, drains] = [this.#snapshot, this.#terms, this.#drains];
    const [folder, own] = [dirname(control), `${guestPrefixes.worker}${id}`];
    const guest = `${guestPrefixes.lingering}${lingeringName(id, process.pid)}`;
    if (this.#successor !== undefined || this.#isDraining || snapshot === undefined)
      return this.#send({ type: "upgrade-failed", says: "it does not serve" });
    try {
      const order = ["--control", control, "--id", id, "--region", String(region), "--succeeds", String(process.pid)];
      const succession = new Succession({
        command: [...command, "worker", ...order, ...(isTied ? ["--tied"] : [])],
        gateway: this.#gateway,
        begin: { snapshot, terms, drains },
      });
      this.#successor = { mark: markOf(succession.pid), region };
      this.#send({ type: "handing-over", successor: this.#successor });
      const result = await succession.run();
      this.#isLingering = true;
      // The next control process shall know of it too.
      visitFolder(folder, guest);
      this.#send({ type: "handed-over", ...result, families: this.#gateway.metrics() });
      await succession.finish();
    } catch (error) {
      this.#successor = undefined;
      // A successor that failed late has said already that it is the one.
      visitFolder(folder, own);
      this.#send({ type: "upgrade-failed", says: error instanceof Error ? error.message : String(error) });
      return;
    }
    await this.#linger(lingerMs);
    quitFolder(folder, guest);
  }

  /** Stays for the sessions that cannot go to another process. */
  async #linger(lingerMs: number): Promise<void> {
    const until = this.#wheel.clock() + lingerMs;
    while (this.#gateway.remains.sessions > 0 && this.#wheel.clock() < until) await sleep(lingerLookMs);
    if (this.#gateway.remains.sessions > 0 && this.#terms !== undefined) return this.#drain(this.#terms.drain);
    const { exchanges } = this.#gateway.remains;
    if (exchanges > 0)
      this.#send({
        type: "log",
        level: "warn",
        says: `${counted(exchanges, "exchange")} took too long and ended with their worker`,
      });
    this.#records.flush();
    this.#send({ type: "farewell", families: this.#gateway.metrics() });
    await this.#link?.end();
    this.#ended.resolve("succeeded");
  }

  async #drain(plan: DrainPlan): Promise<void> {
    this.#isDraining = true;
    const result = await this.#gateway.drain(plan);
    this.#records.flush();
    this.#send({ type: "drained", ...result });
    this.#send({ type: "farewell", families: this.#gateway.metrics() });
    const isTold = this.#link !== undefined;
    await this.#link?.end();
    this.#ended.resolve(isTold ? "drained" : "control-lost");
  }
}
