import { edenGC } from "bun:jsc";

/** So many things that will live for long are made between two collections. */
const usualRun = 256;

/**
 * Collects what is young and dead whenever many things have been made that will live for hours. The runtime does so too, but far less often:
 * by then they are spread thinly over blocks full of garbage, which stay theirs for as long as they live.
 */
export class YoungGarbage {
  readonly #collect: () => void;
  readonly #run: number;
  #made = 0;

  /** `collect` is the runtime's own collection of young objects by default. */
  constructor(collect: () => void = edenGC, run: number = usualRun) {
    this.#collect = collect;
    this.#run = run;
  }

  /** To be called for everything made that is to live for long. */
  made(): void {
    if (++this.#made < this.#run) return;
    this.#made = 0;
    this.#collect();
  }
}
