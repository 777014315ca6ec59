import { hashText, mix } from "../../kit/text-hash.ts";
import { type Balancer, type Candidate, isSameOffer } from "./candidate.ts";

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
  /** Places on the ring, ascending, and whose they are. */
  #places = new Uint32Array(0);
  #owners = new Uint32Array(0);
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
    const { length } = this.#places;
    if (length === 0) return undefined;
    let at = this.#nearest(hash);
    for (let step = 0; step < length; step++) {
      // Every owner is the number of a candidate.
      const candidate = this.#candidates[this.#owners[at] as number] as C;
      if (tried.size === 0 || !tried.has(candidate)) return candidate;
      at = at + 1 === length ? 0 : at + 1;
    }
    return undefined;
  }

  #nearest(hash: number): number {
    let nearest = 0;
    let shortest = Number.POSITIVE_INFINITY;
    for (let probe = 0; probe < probes; probe++) {
      const place = mix(hash + Math.imul(probe, 0x9e3779b9));
      const at = this.#find(place);
      const distance = ((this.#places[at] as number) - place) >>> 0;
      if (distance >= shortest) continue;
      shortest = distance;
      nearest = at;
    }
    return nearest;
  }

  /** The first point at a place or behind it, round the ring. */
  #find(place: number): number {
    const places = this.#places;
    let at = this.#slices[place >>> this.#sliceShift] as number;
    while (at < places.length && (places[at] as number) < place) at++;
    return at === places.length ? 0 : at;
  }

  /** Points are as good as random, so that a slice of the ring has two or three: they are laid into their slices, and sorted there. */
  #build(): void {
    this.#isBuilt = true;
    const { places, owners } = this.#points();
    const { length } = places;
    const bits = Math.min(20, Math.max(1, Math.ceil(Math.log2(length + 1)) - 1));
    const shift = 32 - bits;
    const starts = sliceStarts(places, shift);
    const ends = starts.slice();
    const [ascending, theirs] = [new Uint32Array(length), new Uint32Array(length)];
    for (let from = 0; from < length; from++) {
      const place = places[from] as number;
      const owner = owners[from] as number;
      const slice = place >>> shift;
      const first = starts[slice] as number;
      let to = ends[slice] as number;
      ends[slice] = to + 1;
      for (; to > first && (ascending[to - 1] as number) > place; to--) {
        ascending[to] = ascending[to - 1] as number;
        theirs[to] = theirs[to - 1] as number;
      }
      ascending[to] = place;
      theirs[to] = owner;
    }
    this.#places = ascending;
    this.#owners = theirs;
    this.#slices = starts;
    this.#sliceShift = shift;
  }

  #points(): { readonly places: Uint32Array; readonly owners: Uint32Array } {
    const heaviest = this.#candidates.reduce((most, { weight }) => Math.max(most, weight), 1);
    const counts = this.#candidates.map(({ weight }) => Math.max(1, Math.round((weight * mostPoints) / heaviest)));
    const length = counts.reduce((sum, count) => sum + count, 0);
    const [places, owners] = [new Uint32Array(length), new Uint32Array(length)];
    let next = 0;
    for (const [index, count] of counts.entries()) {
      const seed = hashText((this.#candidates[index] as C).address);
      for (let point = 0; point < count; point++) {
        places[next] = mix(seed + Math.imul(point, 0x85ebca77));
        owners[next++] = index;
      }
    }
    return { places, owners };
  }
}

/** How many points are before each slice of the ring, which has as many places as `shift` bits can say. */
function sliceStarts(places: Uint32Array, shift: number): Uint32Array<ArrayBuffer> {
  const starts = new Uint32Array(2 ** (32 - shift));
  for (let at = 0; at < places.length; at++) {
    const slice = (places[at] as number) >>> shift;
    starts[slice] = (starts[slice] as number) + 1;
  }
  let before = 0;
  for (let slice = 0; slice < starts.length; slice++) {
    const count = starts[slice] as number;
    starts[slice] = before;
    before += count;
  }
  return starts;
}
