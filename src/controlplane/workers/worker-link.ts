import type { Socket } from "node:net";
import type { Answer, FromWorker, Question, ToWorker } from "../../core/worker-protocol.ts";
import { LineSplitter } from "../../kit/line-splitter.ts";
import { after } from "../../kit/sleep.ts";

/** Bytes of one line from a worker: an answer with many sessions is the longest. */
const longestLine = 64 * 1024 * 1024;
/** Bytes on their way to a worker, past which no more questions are asked. */
const longestQueue = 64 * 1024 * 1024;

/** Why a question has no answer. */
export type AskFailure = "unavailable" | "timeout" | "failed";

/** A question to a worker was not answered. */
export class AskError extends Error {
  override readonly name = "AskError";
  readonly failure: AskFailure;

  constructor(failure: AskFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

/** Who hears what a worker says. */
export type LinkListener = {
  readonly onMessage: (message: FromWorker) => void;
  /** The connection is gone; `fault` says what was wrong if it was not simply closed. */
  readonly onClose: (fault: string | undefined) => void;
};

type Waiting = {
  readonly about: Question["about"];
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: AskError) => void;
  readonly cancel: () => void;
};

/** The connection to one worker: JSON lines both ways, and questions with deadlines. */
export class WorkerLink {
  readonly #socket: Socket;
  readonly #listener: LinkListener;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #fault: string | undefined;

  constructor(socket: Socket, listener: LinkListener) {
    this.#socket = socket;
    this.#listener = listener;
  }

  /** Begins to read; called once. */
  open(): this {
    const lines = new LineSplitter(longestLine, (line) => this.#take(line));
    this.#socket.on("data", (bytes) => {
      try {
        lines.push(typeof bytes === "string" ? Buffer.from(bytes) : bytes);
      } catch (error) {
        this.destroy(`the worker broke the protocol: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.#closed());
    return this;
  }

  send(message: ToWorker): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  /** Asks and waits at most `deadlineMs` milliseconds; throws an AskError. */
  ask<Q extends Question>(question: Q, deadlineMs: number): Promise<Extract<Answer, { about: Q["about"] }>> {
    const answer = new Promise<Answer>((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new AskError("unavailable", "the worker is not connected"));
      if (this.#socket.writableLength > longestQueue)
        return reject(new AskError("timeout", "the worker does not read"));
      const id = ++this.#lastId;
      const cancel = after(deadlineMs, () => {
        this.#waiting.delete(id);
        reject(new AskError("timeout", `the worker did not answer within ${deadlineMs} ms`));
      });
      this.#waiting.set(id, { about: question.about, resolve, reject, cancel });
      this.send({ type: "ask", id, question });
    });
    // The cast is safe because #answer compares `about` with the question's.
    return answer as Promise<Extract<Answer, { about: Q["about"] }>>;
  }

  /** Cuts the connection; `fault` is what the listener is told. */
  destroy(fault?: string): void {
    this.#fault ??= fault;
    this.#socket.destroy();
  }

  #take(line: string): void {
    if (this.#socket.destroyed) return;
    // The worker is this very program, and a version that differs is refused at `hello`.
    const message = JSON.parse(line) as FromWorker;
    if (message.type === "answer") this.#answer(message.id, message.answer);
    else if (message.type === "failed") this.#fail(message.id, message.says);
    else this.#listener.onMessage(message);
  }

  #answer(id: number, answer: Answer): void {
    const waiting = this.#forget(id);
    if (waiting === undefined) return;
    if (answer.about === waiting.about) waiting.resolve(answer);
    else waiting.reject(new AskError("failed", `the worker answered about ${answer.about}, not ${waiting.about}`));
  }

  #fail(id: number, says: string): void {
    this.#forget(id)?.reject(new AskError("failed", says));
  }

  #forget(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.cancel();
    return waiting;
  }

  #closed(): void {
    for (const id of [...this.#waiting.keys()])
      this.#forget(id)?.reject(new AskError("unavailable", "the worker is gone"));
    this.#listener.onClose(this.#fault);
  }
}
