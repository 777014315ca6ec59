import { type SharedCount, SharedCounts } from "../../kit/shared-counts.ts";
import type { SharedMemory } from "../../kit/shared-memory.ts";

/** What several workers have lent of one endpoint. */
export class LeaseCounts {
  readonly #memory: SharedMemory;
  readonly #count: SharedCount;
  /** Sessions alone: what is chosen by, both together, is read far more often than what is limited. */
  readonly #sessions: SharedCount;

  constructor(memory: SharedMemory, endpoint: { readonly upstream: string; readonly address: string }) {
    this.#memory = memory;
    const counts = new SharedCounts(memory);
    const { upstream, address } = endpoint;
    this.#count = counts.of(`endpoint ${upstream} ${address}`);
    this.#sessions = counts.of(`endpoint sessions ${upstream} ${address}`);
  }

  /** Sessions and requests of other workers. */
  get others(): number {
    return this.#count.others;
  }

  /** The same, each by itself. */
  get othersByKind(): { readonly sessions: number; readonly requests: number } {
    const sessions = this.#sessions.others;
    return { sessions, requests: Math.max(0, this.others - sessions) };
  }

  add(what: "sessions" | "requests", step: 1 | -1): void {
    this.#count.add(step);
    if (what === "sessions") this.#sessions.add(step);
    this.#memory.tally(what, step);
  }
}
