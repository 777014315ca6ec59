import { connect, type Socket } from "node:net";
import type { StartWorker, WorkerOrder, WorkerProcess } from "../../src/controlplane/workers/worker-process.ts";
import type { FromWorker, Question, ToWorker } from "../../src/core/worker-protocol.ts";
import { LineSplitter } from "../../src/kit/line-splitter.ts";

type Snapshots = Extract<ToWorker, { type: "snapshot" }>["snapshot"];

/** What a fake worker does with what it is told; everything has a well-behaved default. */
export type FakeBehaviour = {
  readonly onSnapshot?: (snapshot: Snapshots, worker: FakeWorker) => FromWorker | undefined;
  readonly onAsk?: (question: Question, id: number) => FromWorker | undefined;
  readonly onDrain?: (worker: FakeWorker) => void;
};

/** A worker inside the test's own process that speaks the worker protocol over the real control socket. */
export class FakeWorker implements WorkerProcess {
  readonly id: string;
  readonly pid: number;
  readonly ended: Promise<string>;
  readonly heard: ToWorker[] = [];
  readonly #socket: Socket;
  #prepared: Snapshots = { revision: 0, listeners: [], routes: [], upstreams: [] };
  readonly #end: (how: string) => void;

  constructor({ control, id, pid, region }: WorkerOrder & { readonly pid: number }, behaviour: FakeBehaviour) {
    this.id = id;
    this.pid = pid;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.ended = promise;
    this.#end = resolve;
    this.#socket = connect(control);
    const lines = new LineSplitter(64 * 1024 * 1024, (line) => this.#hear(JSON.parse(line) as ToWorker, behaviour));
    this.#socket.on("data", (bytes) => lines.push(typeof bytes === "string" ? Buffer.from(bytes) : bytes));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => resolve("exit code 0"));
    this.say({ type: "hello", protocol: 1, worker: id, pid, revision: 0, listeners: [], region });
  }

  say(message: FromWorker): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  /** Sends bytes as they are, to break the protocol. */
  sayRaw(text: string): void {
    this.#socket.write(text);
  }

  kill(): void {
    this.exit("signal SIGKILL");
  }

  leave(): void {}

  exit(how: string): void {
    this.#end(how);
    this.#socket.destroy();
  }

  #hear(message: ToWorker, behaviour: FakeBehaviour): void {
    this.heard.push(message);
    if (message.type === "snapshot") this.#reply(this.#onSnapshot(message.snapshot, behaviour));
    else if (message.type === "prepare") this.#prepare(message.snapshot, behaviour);
    else if (message.type === "commit") this.#reply(applied({ ...this.#prepared, revision: message.revision }));
    else if (message.type === "abandon" || message.type === "terms" || message.type === "endpoints") return;
    else if (message.type === "drains" || message.type === "challenges") return;
    else if (message.type === "ask") this.#reply(behaviour.onAsk?.(message.question, message.id));
    else if (behaviour.onDrain !== undefined) behaviour.onDrain(this);
    else {
      this.say({ type: "drained", closed: 0, destroyed: 0 });
      this.#socket.end();
    }
  }

  /** What stands against a snapshot is said before it is put into force. */
  #prepare(snapshot: Snapshots, behaviour: FakeBehaviour): void {
    this.#prepared = snapshot;
    const reply = this.#onSnapshot(snapshot, behaviour);
    this.#reply(reply?.type === "applied" ? { ...reply, type: "prepared" } : reply);
  }

  #onSnapshot(snapshot: Snapshots, behaviour: FakeBehaviour): FromWorker | undefined {
    if (behaviour.onSnapshot !== undefined) return behaviour.onSnapshot(snapshot, this);
    return applied(snapshot);
  }

  #reply(message: FromWorker | undefined): void {
    if (message !== undefined) this.say(message);
  }
}

/** The answer of a worker that put `snapshot` into force. */
export function applied(snapshot: Snapshots): FromWorker {
  const listeners = snapshot.listeners.map(({ name, host, port }) => ({ name, host, port, connections: 0 }));
  return { type: "applied", revision: snapshot.revision, listeners };
}

/** Starts fake workers and remembers them, newest last. */
export function fakeWorkers(behaviour: FakeBehaviour = {}): {
  readonly start: StartWorker;
  readonly all: FakeWorker[];
} {
  const all: FakeWorker[] = [];
  return {
    all,
    start: (order) => {
      const worker = new FakeWorker({ ...order, pid: 100_000 + all.length }, behaviour);
      all.push(worker);
      return worker;
    },
  };
}
