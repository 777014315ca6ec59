import type { Balancer, Candidate } from "./candidate.ts";

/** Of two that are drawn, the one that costs less is chosen. `usual` is the share that candidates have on average. */
export type Cost = (candidate: Candidate, usual: number) => number;

/** How often a draw that is of no use is repeated before the list is gone through. */
const maxDraws = 8;

/** Two that are drawn by weight, and of these the one with less to do: nearly as even as looking at all of them, at a fraction of the work. */
export class TwoChoices<C extends Candidate> implements Balancer<C> {
  readonly #cost: Cost;
  readonly #random: () => number;
  #candidates: readonly C[] = [];
  /** The sum of the shares up to each. */
  #sums = new Float64Array(0);

  constructor(cost: Cost, random: () => number = Math.random) {
    this.#cost = cost;
    this.#random = random;
  }

  offer(candidates: readonly C[]): void {
    this.#candidates = candidates;
    if (this.#sums.length !== candidates.length) this.#sums = new Float64Array(candidates.length);
    let sum = 0;
    for (let at = 0; at < candidates.length; at++) {
      sum += (candidates[at] as C).share;
      this.#sums[at] = sum;
    }
  }

  pick(tried: ReadonlySet<C>): C | undefined {
    const first = this.#draw(tried, undefined) ?? this.#candidates.find((candidate) => !tried.has(candidate));
    if (first === undefined) return undefined;
    const second = this.#draw(tried, first);
    if (second === undefined) return first;
    const usual = (this.#sums.at(-1) ?? 0) / this.#sums.length;
    return this.#cost(second, usual) < this.#cost(first, usual) ? second : first;
  }

  /** One by weight that was not tried and is not `other`; undefined if luck fails. */
  #draw(tried: ReadonlySet<C>, other: C | undefined): C | undefined {
    if (this.#candidates.length === 0) return undefined;
    for (let draw = 0; draw < maxDraws; draw++) {
      const drawn = this.#at(this.#random() * (this.#sums.at(-1) ?? 0));
      if (drawn !== other && (tried.size === 0 || !tried.has(drawn))) return drawn;
    }
    return undefined;
  }

  #at(point: number): C {
    let low = 0;
    let high = this.#sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sums[middle] as number) > point) high = middle;
      else low = middle + 1;
    }
    // The list is not empty, and `low` is inside it.
    return this.#candidates[low] as C;
  }
}

/** Sessions and requests for its weight. */
export function loadCost(candidate: Candidate): number {
  return candidate.load / candidate.share;
}

/** What an endpoint counts as that has not answered yet (ms). */
const silentMs = 1000;

/** How long a further exchange would take, roughly: the latency of late, for this one and for each that is under way. */
export function latencyCost({ latencyMs, load, share }: Candidate, usual: number): number {
  // Who has something to do and never answered must not look quick.
  const ms = latencyMs === 0 && load > 0 ? silentMs : latencyMs;
  return ms * (1 + (load * usual) / share);
}
