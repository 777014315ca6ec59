import type { Candidate } from "./candidate.ts";

/** What turns need of a candidate. */
export type TurnTaker = Pick<Candidate, "share" | "credit">;

/** Every endpoint in turn, as often as its weight says, spread evenly (smooth weighted round robin). */
export class RoundRobin<C extends TurnTaker = Candidate> {
  #candidates: readonly C[] = [];

  offer(candidates: readonly C[]): void {
    this.#candidates = candidates;
  }

  pick(tried: ReadonlySet<C>): C | undefined {
    const mayAll = tried.size === 0;
    let total = 0;
    let best: C | undefined;
    for (const candidate of this.#candidates) {
      if (!mayAll && tried.has(candidate)) continue;
      candidate.credit += candidate.share;
      total += candidate.share;
      if (best === undefined || candidate.credit > best.credit) best = candidate;
    }
    if (best !== undefined) best.credit -= total;
    return best;
  }
}
