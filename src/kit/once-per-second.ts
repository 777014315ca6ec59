/** Keys that are remembered for a second at most, so that a flood of new ones costs no memory. */
const mostKeys = 1000;

/** Lets every key pass once in a second, and of many keys the first thousand. */
export class OncePerSecond {
  readonly #seen = new Set<string>();
  #second = -1;

  /** `now` in milliseconds. */
  passes(key: string, now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) this.#seen.clear();
    this.#second = second;
    if (this.#seen.has(key) || this.#seen.size >= mostKeys) return false;
    this.#seen.add(key);
    return true;
  }
}
