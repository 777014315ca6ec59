import { type FromSuccessor, handoverFormat, type OrderFor, type ToSuccessor, unpackLot } from "../core/handover.ts";
import { workerProtocol } from "../core/worker-protocol.ts";
import type { Gateway } from "../dataplane/gateway.ts";
import type { InheritedListener } from "../dataplane/listener-set.ts";
import { receiveDescriptors } from "../dataplane/net/descriptor-passing.ts";
import type { Takeover } from "../dataplane/takeover.ts";

/** Where the socket is that descriptors come through: the first one behind the standard streams. */
const socket = 3;

type Begin = Extract<ToSuccessor, { type: "begin" }>;

/** Who takes over, and who hears of it. */
export type InheritanceOptions = {
  readonly gateway: Gateway;
  /** The process that has started this one, which is its parent for as long as it lives. */
  readonly predecessor: number;
  /** What the predecessor was told by the control process; called before anything is taken over. */
  readonly onBegin: (begin: Begin) => void;
  /** Called once, when this process has what it takes over, and the predecessor has let go. */
  readonly onServing: () => void;
};

/** What a worker takes over from the one before it, which has started it. */
export class Inheritance {
  readonly #options: InheritanceOptions;
  readonly #takeover: Takeover;
  readonly #held = Promise.withResolvers<void>();
  #begin: Begin | undefined;
  #listeners: readonly InheritedListener[] = [];
  /** It is `whole` once everything has been sent that goes at once, and `closed` if it serves but takes nothing more. */
  #state: "waiting" | "whole" | "serving" | "closed" | "failed" = "waiting";

  constructor(options: InheritanceOptions) {
    this.#options = options;
    this.#takeover = options.gateway.takeOver();
  }

  /** Resolves when this process serves in the place of its predecessor; rejects if that does not come about. */
  receive(): Promise<void> {
    // Both are one version's, or `begin` is refused.
    process.on("message", (message: ToSuccessor) => this.#take(message));
    process.on("disconnect", () => this.#left());
    this.#send({ type: "ready", formats: [handoverFormat], protocol: workerProtocol });
    return this.#held.promise;
  }

  #take(message: ToSuccessor): void {
    // What follows something that could not be taken must not look as if it had been.
    if (this.#state === "failed" || this.#state === "closed") return;
    try {
      this.#follow(message);
    } catch (error) {
      this.#fail(error);
    }
  }

  #follow(message: ToSuccessor): void {
    switch (message.type) {
      case "begin":
        return this.#prepare(message);
      case "lot": {
        const lot = unpackLot(message.lot);
        // At once: descriptors come in the order of the messages.
        const descriptors = lot.sessions.length + lot.connections.length === 0 ? [] : receiveDescriptors(socket);
        return this.#takeover.adopt(lot, descriptors);
      }
      case "adopt":
        if (this.#state === "waiting") this.#state = "whole";
        return this.#send({ type: "adopted" });
      case "go":
        return this.#go(message.orders);
    }
  }

  #prepare(begin: Begin): void {
    if (begin.format !== handoverFormat) throw new Error(`a handover of version ${begin.format} cannot be read`);
    const { gateway, onBegin } = this.#options;
    const descriptors = begin.listeners.length === 0 ? [] : receiveDescriptors(socket);
    this.#listeners = begin.listeners.map((state, at) => ({ state, descriptor: descriptors[at] ?? -1 }));
    this.#begin = begin;
    onBegin(begin);
    gateway.judge(begin.verdicts, "all");
    const [issue] = gateway.apply({ ...begin.snapshot, listeners: [] }, begin.terms);
    if (issue !== undefined) throw new Error(issue.says);
    this.#send({ type: "begun" });
  }

  #go(orders: readonly OrderFor[]): void {
    const { gateway } = this.#options;
    if (this.#begin !== undefined && this.#state !== "serving") {
      const [issue] = gateway.inherit(this.#begin.snapshot, this.#listeners, this.#begin.terms);
      if (issue !== undefined) throw new Error(issue.says);
      this.#state = "serving";
      this.#options.onServing();
      this.#held.resolve();
    }
    this.#takeover.goOn(orders);
    this.#send({ type: "serving" });
  }

  /**
   * A predecessor that gives up ends this process, or keeps what it would still have sent once this one serves; one that is gone can
   * read nothing any more, and what it has sent goes on here.
   */
  #left(): void {
    if (this.#state === "waiting") return this.#fail(new Error("the predecessor is gone"));
    if (process.ppid === this.#options.predecessor && this.#state === "serving") return this.#takeover.abandon();
    this.#take({ type: "go", orders: [] });
  }

  #fail(error: unknown): void {
    if (this.#state === "serving") {
      this.#state = "closed";
      this.#takeover.abandon();
      this.#send({ type: "failed", says: error instanceof Error ? error.message : String(error) });
      throw error;
    }
    this.#state = "failed";
    this.#held.reject(error);
  }

  #send(message: FromSuccessor): void {
    if (process.connected) process.send?.(message);
  }
}
