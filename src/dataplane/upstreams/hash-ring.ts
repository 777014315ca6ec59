import { mix } from "../../kit/text-hash.ts";
import { type Balancer, type Candidate, isSameOffer } from "./candidate.ts";
import { RingPoints, sliceShift, sliceStarts } from "./ring-points.ts";

/** Points of the candidate with the greatest weight; the others have fewer in proportion. */
const mostPoints = 256;
/** How many places of the ring a key is looked up at. The point that is nearest to its place wins. */
const probes = 24;
/**
 * Consistent hashing on a ring: a key keeps its endpoint as long as that is offered, and who goes or comes moves no key of the others.
 * Every key is looked up at several places (multi-probe consistent hashing, arXiv 1505.00062), which spreads keys within a percent or two
 * of the weights with a tenth of the points that a plain ring would need.
 */
export class HashRing<C extends Candidate> implements Balancer<C> {
  #candidates: readonly C[] = [];
  #isBuilt = true;
  #weights: readonly number[] = [];
  #points = RingPoints.none;
  /** The first point of each slice of the ring, so that a look-up takes a step or two. */
  #slices = new Uint32Array(1);
  #sliceShift = 31;

  offer(candidates: readonly C[]): void {
    if (isSameOffer(candidates, this.#candidates, this.#weights)) return;
    this.#candidates = candidates.slice();
    this.#weights = candidates.map(({ weight }) => weight);
    // Many endpoints may change at a time, and the next key is the first that needs to know.
    this.#isBuilt = false;
  }

  pick(tried: ReadonlySet<C>, hash: number): C | undefined {
    if (!this.#isBuilt) this.#build();
    const { owners } = this.#points;
    const { length } = owners;
    if (length === 0) return undefined;
    let at = this.#nearest(hash);
    for (let step = 0; step < length; step++) {
      // Every owner is the number of a candidate.
      const candidate = this.#candidates[owners[at] as number] as C;
      if (tried.size === 0 || !tried.has(candidate)) return candidate;
      at = at + 1 === length ? 0 : at + 1;
    }
    return undefined;
  }

  #nearest(hash: number): number {
    const { places } = this.#points;
    let nearest = 0;
    let shortest = Number.POSITIVE_INFINITY;
    for (let probe = 0; probe < probes; probe++) {
      const place = mix(hash + Math.imul(probe, 0x9e3779b9));
      const at = this.#find(place);
      const distance = ((places[at] as number) - place) >>> 0;
      if (distance >= shortest) continue;
      shortest = distance;
      nearest = at;
    }
    return nearest;
  }

  /** The first point at a place or behind it, round the ring. */
  #find(place: number): number {
    const { places } = this.#points;
    let at = this.#slices[place >>> this.#sliceShift] as number;
    while (at < places.length && (places[at] as number) < place) at++;
    return at === places.length ? 0 : at;
  }

  #build(): void {
    this.#isBuilt = true;
    const addresses = this.#candidates.map(({ address }) => address);
    this.#points = this.#points.changedTo(addresses, this.#counts());
    const { places } = this.#points;
    this.#sliceShift = sliceShift(places.length);
    this.#slices = sliceStarts(places, this.#sliceShift);
  }

  /** How many points each candidate has. */
  #counts(): number[] {
    const heaviest = this.#weights.reduce((most, weight) => Math.max(most, weight), 1);
    return this.#weights.map((weight) => Math.max(1, Math.round((weight * mostPoints) / heaviest)));
  }
}
