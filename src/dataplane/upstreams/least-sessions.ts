import type { Balancer, Candidate } from "./candidate.ts";

/** The fewest sessions and requests for its weight; those that have equally few take turns by weight. */
export class LeastSessions<C extends Candidate> implements Balancer<C> {
  #candidates: readonly C[] = [];
  #loads = new Float64Array(0);

  offer(candidates: readonly C[]): void {
    this.#candidates = candidates;
    if (this.#loads.length !== candidates.length) this.#loads = new Float64Array(candidates.length);
  }

  pick(tried: ReadonlySet<C>): C | undefined {
    const least = this.#measure(tried);
    const candidates = this.#candidates;
    const loads = this.#loads;
    let total = 0;
    let best: C | undefined;
    for (let at = 0; at < candidates.length; at++) {
      if (loads[at] !== least) continue;
      const candidate = candidates[at] as C;
      candidate.credit += candidate.share;
      total += candidate.share;
      if (best === undefined || candidate.credit > best.credit) best = candidate;
    }
    if (best !== undefined) best.credit -= total;
    return best;
  }

  /** Notes the load of each for its weight, and returns the lowest; those that were tried have none. */
  #measure(tried: ReadonlySet<C>): number {
    const candidates = this.#candidates;
    const loads = this.#loads;
    const mayAll = tried.size === 0;
    let least = Number.POSITIVE_INFINITY;
    for (let at = 0; at < candidates.length; at++) {
      const candidate = candidates[at] as C;
      const load = mayAll || !tried.has(candidate) ? candidate.load / candidate.share : Number.NaN;
      loads[at] = load;
      if (load < least) least = load;
    }
    return least;
  }
}
