import { readFileSync } from "node:fs";

/** How many descriptors stay free for files, the control socket, and connections to upstreams that are already promised. */
const reserve = 64;

/** Counts the sockets of the process against its limit of open files, so that `accept` never meets EMFILE. */
export class Descriptors {
  readonly #limit: number;
  #open = 0;
  #changes = 0;

  /** `limit` is that of RLIMIT_NOFILE. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The limit of this process; on systems without /proc a safe guess. */
  static ofProcess(): Descriptors {
    try {
      const limits = readFileSync("/proc/self/limits", "utf8");
      return new Descriptors(Number(/^Max open files\s+([0-9]+)/m.exec(limits)?.[1] ?? 1024));
    } catch {
      return new Descriptors(1024);
    }
  }

  get open(): number {
    return this.#open;
  }

  get limit(): number {
    return this.#limit;
  }

  /** True if another client, and the upstream connection that it will need, would touch the reserve. */
  get isLow(): boolean {
    return this.#open + 1 > this.#limit - Math.min(reserve, this.#limit >> 2);
  }

  /** True if even clients that are turned away must not stay, because what is left belongs to upstreams of others. */
  get isScarce(): boolean {
    return this.#open + 1 > this.#limit - Math.min(reserve, this.#limit >> 2) / 2;
  }

  /** True if not even a connection to an upstream can be opened. */
  get isExhausted(): boolean {
    return this.#open + 1 > this.#limit - Math.min(reserve, this.#limit >> 2) / 4;
  }

  /** How often a socket has come or gone. */
  get changes(): number {
    return this.#changes;
  }

  opened(): void {
    this.#open++;
    this.#changes++;
  }

  closed(): void {
    this.#open--;
    this.#changes++;
  }
}
