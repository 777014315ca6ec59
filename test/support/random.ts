/** A random number generator that gives the same numbers for the same seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 up to, and not including, `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** A number from 0 to 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    // A callback for each byte took most of the time of tests that make up millions of them.
    for (let at = 0; at < length; at++) bytes[at] = this.below(256);
    return bytes;
  }

  /** One of several things. */
  pick<T>(items: readonly T[]): T {
    // The index is always inside.
    return items[this.below(items.length)] as T;
  }

  /** Cuts bytes into pieces of random length, now and then of one byte. */
  cut(bytes: Uint8Array, longest: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const step = this.below(4) === 0 ? 1 : 1 + this.below(longest);
      pieces.push(bytes.slice(at, at + step));
      at += step;
    }
    return pieces;
  }
}
