import { ptr } from "bun:ffi";
import { callFailed, fixedMemory, type SystemCalls } from "./system-calls.ts";

// Linux: sys/epoll.h.
/** Bits of what is waited for, and of what has happened. */
export const happenings = {
  readable: 1,
  urgent: 2,
  writable: 4,
  failed: 8,
  /** Both directions are closed. */
  hungUp: 0x10,
  peerEnded: 0x2000,
  /** To be told changes instead of states: nothing has to be asked for anew, whatever a socket waits for. */
  edges: 0x8000_0000 | 0,
} as const;

const closeOnExec = 0o2000000;
const operations = { add: 1, delete: 2 } as const;

/** How many events one call brings at most. */
const mostEvents = 512;
/** struct epoll_event in 32-bit words, which is packed on x86-64 alone. */
const [words, dataAt] = process.arch === "x64" ? [3, 1] : [4, 2];

/** Whoever is watched: its descriptor, and a number that tells it from others that had the same one before. */
type Known = { readonly descriptor: number; readonly generation: number };

/** An epoll instance. */
export class Epoll {
  readonly #calls: SystemCalls;
  readonly #descriptor: number;
  readonly #events = new Int32Array(fixedMemory(4 * words * mostEvents));
  readonly #eventsAt = ptr(this.#events);
  readonly #wish = new Int32Array(fixedMemory(4 * words));
  readonly #wishAt = ptr(this.#wish);

  private constructor(calls: SystemCalls, descriptor: number) {
    this.#calls = calls;
    this.#descriptor = descriptor;
  }

  /** Throws if there are no descriptors left. */
  static open(calls: SystemCalls): Epoll {
    const descriptor = calls.epoll_create1(closeOnExec);
    if (descriptor < 0) throw callFailed("epoll_create1", calls.errno());
    return new Epoll(calls, descriptor);
  }

  close(): void {
    this.#calls.close(this.#descriptor);
  }

  /** Throws if the kernel cannot watch it. `wanted` is a set of `happenings`. */
  add({ descriptor, generation }: Known, wanted: number): void {
    this.#wish[0] = wanted;
    this.#wish[dataAt] = descriptor;
    this.#wish[dataAt + 1] = generation;
    if (this.#calls.epoll_ctl(this.#descriptor, operations.add, descriptor, this.#wishAt) !== 0)
      throw callFailed("epoll_ctl", this.#calls.errno());
  }

  /** Needed only for what stays open: the kernel does this by itself when a socket is gone. */
  remove(descriptor: number): void {
    this.#calls.epoll_ctl(this.#descriptor, operations.delete, descriptor, this.#wishAt);
  }

  /** Waits for events at most that long (ms), and returns how many there are. */
  wait(timeoutMs: number): number {
    return this.#calls.epoll_wait(this.#descriptor, this.#eventsAt, mostEvents, timeoutMs);
  }

  /** What has happened: a set of `happenings`. */
  eventsAt(index: number): number {
    return this.#events[index * words] as number;
  }

  descriptorAt(index: number): number {
    return this.#events[index * words + dataAt] as number;
  }

  generationAt(index: number): number {
    return this.#events[index * words + dataAt + 1] as number;
  }
}
