import type { AccessRecord } from "../core/access-record.ts";
import type { Snapshot } from "../core/snapshot.ts";
import {
  type Answer,
  type DrainPlan,
  type FromWorker,
  type Question,
  type SnapshotTerms,
  type ToWorker,
  workerProtocol,
} from "../core/worker-protocol.ts";
import { Gateway, type PreparedSnapshot } from "../dataplane/gateway.ts";
import { TimerWheel } from "../kit/timer-wheel.ts";
import { processMetrics } from "../telemetry/process-metrics.ts";
import { ControlLink } from "./control-link.ts";
import { RecordBatch } from "./record-batch.ts";

export type WorkerOptions = { readonly control: string; readonly id: string };

/** Why a worker ends: it was told to, or the control process has gone. */
export type WorkerEnd = "drained" | "control-lost";

/** One worker: a gateway that does what the control process says, and reports to it. */
export class Worker {
  readonly #wheel: TimerWheel;
  readonly #gateway: Gateway;
  readonly #ended = Promise.withResolvers<WorkerEnd>();
  #isDrained = false;
  #link: ControlLink | undefined;
  #records: RecordBatch | undefined;
  #terms: SnapshotTerms | undefined;
  #prepared: PreparedSnapshot | undefined;

  private constructor() {
    this.#wheel = new TimerWheel({ onError: (thrown) => this.#reportFault("a timer failed", thrown) });
    this.#gateway = new Gateway({
      wheel: this.#wheel,
      onRecord: (record) => this.#record(record),
      onFault: (thrown) => this.#reportFault("a connection failed", thrown),
    });
  }

  /** Calls the control process and says hello. Rejects if nobody listens there. */
  static async start(options: WorkerOptions): Promise<Worker> {
    const worker = new Worker();
    const link = await ControlLink.open(options.control, {
      onMessage: (message) => worker.#onMessage(message),
      onClose: () => worker.#onControlLost(),
    });
    worker.#link = link;
    worker.#records = new RecordBatch(link, worker.#wheel);
    worker.#send({
      type: "hello",
      protocol: workerProtocol,
      worker: options.id,
      pid: process.pid,
      revision: 0,
      listeners: [],
    });
    return worker;
  }

  /** Resolves when the worker has nothing left to do. */
  get ended(): Promise<WorkerEnd> {
    return this.#ended.promise;
  }

  /** Nobody is left to say what to do. */
  #onControlLost(): void {
    this.#ended.resolve(this.#isDrained ? "drained" : "control-lost");
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
    this.#records?.add(record);
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
      case "ask":
        return this.#answer(message.id, message.question);
      case "drain":
        void this.#drain(message.plan);
    }
  }

  #apply({ snapshot, terms }: Extract<ToWorker, { type: "snapshot" }>): void {
    this.#abandon();
    this.#useTerms(terms);
    const issues = this.#gateway.apply(snapshot, this.#terms);
    const { revision } = snapshot;
    if (issues.length > 0) this.#send({ type: "refused", revision, issues });
    else this.#send({ type: "applied", revision, listeners: this.#gateway.listeners });
  }

  #prepare(snapshot: Snapshot): void {
    this.#abandon();
    const prepared = this.#gateway.prepare(snapshot);
    const { revision } = snapshot;
    if ("issues" in prepared) return this.#send({ type: "refused", revision, issues: prepared.issues });
    this.#prepared = prepared;
    this.#send({ type: "prepared", revision, listeners: prepared.listeners });
  }

  #commit(revision: number, terms: SnapshotTerms | undefined): void {
    const prepared = this.#prepared;
    if (prepared?.revision !== revision) return;
    this.#prepared = undefined;
    this.#useTerms(terms);
    prepared.commit(this.#terms);
    this.#send({ type: "applied", revision, listeners: this.#gateway.listeners });
  }

  #abandon(): void {
    this.#prepared?.abandon();
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

  async #drain(plan: DrainPlan): Promise<void> {
    const result = await this.#gateway.drain(plan);
    this.#records?.flush();
    this.#send({ type: "drained", ...result });
    this.#isDrained = true;
    await this.#link?.end();
    this.#ended.resolve("drained");
  }
}
