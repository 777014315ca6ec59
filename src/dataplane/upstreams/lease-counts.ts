import { type SharedCount, SharedCounts } from "../../kit/shared-counts.ts";
import type { SharedMemory } from "../../kit/shared-memory.ts";

/** What several workers have lent of one endpoint. */
export class LeaseCounts {
  readonly #memory: SharedMemory;
  readonly #count: SharedCount;

  constructor(memory: SharedMemory, endpoint: { readonly upstream: string; readonly address: string }) {
    this.#memory = memory;
    this.#count = new SharedCounts(memory).of(`endpoint ${endpoint.upstream} ${endpoint.address}`);
  }

  /** Sessions and requests of other workers. */
  get others(): number {
    return this.#count.others;
  }

  add(what: "sessions" | "requests", step: 1 | -1): void {
    this.#count.add(step);
    this.#memory.tally(what, step);
  }
}
