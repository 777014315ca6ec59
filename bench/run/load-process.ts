import { join } from "node:path";
import type { Answer, Order } from "../load/orders.ts";
import { Child, type Placement } from "./child.ts";

const patienceMs = 60_000;

/** A script of `load/` in a process of its own, that carries out one order after the other. */
export class LoadProcess implements AsyncDisposable {
  readonly #child: Child;
  readonly #answers: Answers;

  private constructor(child: Child, answers: Answers) {
    this.#child = child;
    this.#answers = answers;
  }

  /** Starts a script of `load/` with one argument. */
  static start(script: string, argument: string, placement: Placement): LoadProcess {
    const answers = new Answers();
    const path = join(import.meta.dirname, "..", "load", script);
    const onMessage = (message: unknown) => answers.receive(message as Answer); // `load/orders.ts` is at the other end
    return new LoadProcess(Child.start([process.execPath, path, argument], { ...placement, onMessage }), answers);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends an order and waits until it has been carried out. */
  async obey<Did extends Order["do"]>(order: Order & { readonly do: Did }): Promise<Extract<Answer, { did: Did }>> {
    this.#child.send(order);
    return this.answer(order.do);
  }

  /** Waits for an answer of the given kind; throws if another one comes, or none within a minute. */
  async answer<Did extends Answer["did"]>(did: Did): Promise<Extract<Answer, { did: Did }>> {
    const answer = await this.#answers.next(patienceMs);
    if (answer === undefined) throw new Error(`the load process did not answer: ${this.#child.lastWords}`);
    if (answer.did === "give up") throw new Error(answer.says);
    if (answer.did !== did) throw new Error(`the load process answered "${answer.did}" where "${did}" was asked`);
    return answer as Extract<Answer, { did: Did }>; // TypeScript does not narrow a union by a type parameter
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child[Symbol.asyncDispose]();
  }
}

/** Answers in the order in which they came; at most one is under way, as orders are given one after the other. */
class Answers {
  #waiting = Promise.withResolvers<Answer>();

  receive(answer: Answer): void {
    this.#waiting.resolve(answer);
  }

  /** The next answer; undefined if none comes in time. */
  async next(withinMs: number): Promise<Answer | undefined> {
    const tooLate = Promise.withResolvers<undefined>();
    const timer = setTimeout(tooLate.resolve, withinMs);
    const answer = await Promise.race([this.#waiting.promise, tooLate.promise]);
    clearTimeout(timer);
    this.#waiting = Promise.withResolvers();
    return answer;
  }
}
