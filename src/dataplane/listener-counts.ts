import type { ListenerSettings } from "../core/snapshot.ts";
import { type SharedCount, SharedCounts } from "../kit/shared-counts.ts";
import type { SharedMemory } from "../kit/shared-memory.ts";

/** The limit that a further connection would exceed. */
export type ListenerLimit = "connections" | "pending" | "pending_per_address";

/** The counts of all listeners of a gateway by name: a listener that is bound anew goes on with those that it had. */
export class ListenerCountsByName {
  readonly #memory: SharedMemory | undefined;
  readonly #counts = new Map<string, ListenerCounts>();

  constructor(memory: SharedMemory | undefined) {
    this.#memory = memory;
  }

  of(name: string): ListenerCounts {
    const counts = this.#counts.get(name) ?? new ListenerCounts(name, this.#memory);
    this.#counts.set(name, counts);
    return counts;
  }
}

/** What a listener has open, counted together with the same listener of other workers if they share memory. */
export class ListenerCounts {
  readonly #name: string;
  readonly #shared: SharedCounts | undefined;
  readonly #allOpen: SharedCount | undefined;
  readonly #allPending: SharedCount | undefined;
  readonly #pendingByAddress = new Map<string, { own: number; readonly all: SharedCount | undefined }>();
  #open = 0;
  #pending = 0;

  constructor(name: string, memory: SharedMemory | undefined) {
    this.#name = name;
    this.#shared = memory === undefined ? undefined : new SharedCounts(memory);
    this.#allOpen = this.#shared?.of(`listener open ${name}`);
    this.#allPending = this.#shared?.of(`listener pending ${name}`);
  }

  /** Connections of this worker. */
  get open(): number {
    return this.#open;
  }

  /** Connections of this worker without a complete head, and handshakes without an answer. */
  get pending(): number {
    return this.#pending;
  }

  countOpen(step: 1 | -1): void {
    this.#open += step;
    this.#allOpen?.add(step);
  }

  countPending(address: string, step: 1 | -1): void {
    this.#pending += step;
    this.#allPending?.add(step);
    const count = this.#pendingByAddress.get(address) ?? { own: 0, all: this.#ofAddress(address) };
    count.own += step;
    count.all?.add(step);
    if (count.own > 0) this.#pendingByAddress.set(address, count);
    else this.#pendingByAddress.delete(address);
  }

  /** What stands against a connection that is counted as open already, and not yet as pending. */
  exceeded(limits: ListenerSettings["limits"], address: string): ListenerLimit | undefined {
    const { connections, pending, pendingPerAddress } = limits;
    if (connections > 0 && this.#open + (this.#allOpen?.others ?? 0) > connections) return "connections";
    if (pending > 0 && this.#pending + (this.#allPending?.others ?? 0) >= pending) return "pending";
    if (pendingPerAddress > 0 && this.#pendingOf(address) >= pendingPerAddress) return "pending_per_address";
    return undefined;
  }

  #pendingOf(address: string): number {
    const count = this.#pendingByAddress.get(address) ?? { own: 0, all: this.#ofAddress(address) };
    return count.own + (count.all?.others ?? 0);
  }

  #ofAddress(address: string): SharedCount | undefined {
    return this.#shared?.of(`listener pending ${this.#name} ${address}`);
  }
}
