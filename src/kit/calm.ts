/** Fewer events than this leave too little behind to be worth a pause. */
const worthIt = 1000;

/** How often `look` is to be called (ms). */
export const calmLookMs = 2000;

/**
 * Fetches what a busy time has left behind once it is calm. The runtime collects when it needs room, and a process with nothing to do
 * needs none: it would keep the memory of its busiest moment.
 */
export class Calm {
  readonly #collect: () => void;
  #seen = 0;
  #collected = 0;

  /** `collect` is the runtime's own collection by default; at once, because one that is only asked for may wait for the next need of room. */
  constructor(collect: () => void = () => Bun.gc(true)) {
    this.#collect = collect;
  }

  /** To be called every few seconds, with how much has ever happened: calm is when that is what it was the last time. */
  look(events: number): void {
    const isCalm = events === this.#seen;
    this.#seen = events;
    if (!isCalm || events - this.#collected < worthIt) return;
    this.#collected = events;
    this.#collect();
  }
}
