/** Fewer connections than this leave too little behind to be worth a pause. */
const worthIt = 1000;

/**
 * Fetches what connections have left behind once it is calm. The runtime collects when it needs room, and a gateway whose clients have
 * gone needs none: it would keep the memory of its busiest moment.
 */
export class Calm {
  #seen = 0;
  #collected = 0;

  /** To be called every few seconds, with how often connections have come or gone. */
  look(changes: number): void {
    const isCalm = changes === this.#seen;
    this.#seen = changes;
    if (!isCalm || changes - this.#collected < worthIt) return;
    this.#collected = changes;
    // At once, because one that is only asked for may wait for the next need of room.
    Bun.gc(true);
  }
}
