import { edenGC } from "bun:jsc";

/** By so many the things that live for long grow between two collections. */
const usualGrowth = 256;

/**
 * Collects what is young and dead while the things that live for hours become more. The runtime does so too, but far less often: by then
 * they are spread thinly over blocks full of garbage, which stay theirs for as long as they live.
 */
export class YoungGarbage {
  readonly #collect: () => void;
  readonly #growth: number;
  #mark = 0;

  /** `collect` is the runtime's own collection of young objects by default. */
  constructor(collect: () => void = edenGC, growth: number = usualGrowth) {
    this.#collect = collect;
    this.#growth = growth;
  }

  /** To be called when there is one more, with how many there are now. Where as many go as come nothing is collected. */
  grown(count: number): void {
    if (count < this.#mark) this.#mark = count;
    if (count - this.#mark < this.#growth) return;
    this.#mark = count;
    this.#collect();
  }
}
