/** What a balancer has to know of an endpoint. */
export interface Candidate {
  /** Relative; candidates of weight 0 are never offered. */
  readonly weight: number;
  /** Open sessions and running requests. */
  readonly load: number;
}

/** Chooses one of several endpoints; it is given at least one. */
export interface Balancer {
  pick<C extends Candidate>(candidates: readonly C[]): C;
}

/** The fewest sessions and requests for its weight; ties in turn. */
export class LeastSessions implements Balancer {
  #turn = 0;

  pick<C extends Candidate>(candidates: readonly C[]): C {
    const { length } = candidates;
    this.#turn = (this.#turn + 1) % length;
    let best = candidates[this.#turn] as C;
    for (let step = 1; step < length; step++) {
      const other = candidates[(this.#turn + step) % length] as C;
      if ((other.load + 1) * best.weight < (best.load + 1) * other.weight) best = other;
    }
    return best;
  }
}

/** Every endpoint in turn, as often as its weight says, spread evenly (smooth weighted round robin). */
export class RoundRobin implements Balancer {
  readonly #credits = new WeakMap<Candidate, number>();

  pick<C extends Candidate>(candidates: readonly C[]): C {
    let total = 0;
    let best = candidates[0] as C;
    let bestCredit = Number.NEGATIVE_INFINITY;
    for (const candidate of candidates) {
      const credit = (this.#credits.get(candidate) ?? 0) + candidate.weight;
      this.#credits.set(candidate, credit);
      total += candidate.weight;
      if (credit > bestCredit) {
        best = candidate;
        bestCredit = credit;
      }
    }
    this.#credits.set(best, bestCredit - total);
    return best;
  }
}
