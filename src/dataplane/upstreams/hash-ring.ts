import { hashText, mix } from "../../kit/text-hash.ts";
import type { Balancer, Candidate } from "./candidate.ts";

/** Points of the candidate with the greatest weight; the others have fewer in proportion. */
const mostPoints = 512;
/** How many places of the ring a key is looked up at. The point that is nearest to its place wins. */
const probes = 16;
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
    const isSame =
      candidates.length === this.#candidates.length &&
      candidates.every((one, at) => one === this.#candidates[at] && one.weight === this.#weights[at]);
    if (isSame) return;
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

  #build(): void {
    this.#isBuilt = true;
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
    const byLow = sorted({ places, owners }, 0);
    const { places: ascending, owners: theirs } = sorted(byLow, 16);
    this.#places = ascending;
    this.#owners = theirs;
    this.#slice();
  }

  #slice(): void {
    const bits = Math.min(20, Math.max(1, Math.ceil(Math.log2(this.#places.length + 1))));
    this.#sliceShift = 32 - bits;
    this.#slices = new Uint32Array(2 ** bits);
    let at = 0;
    for (let slice = 0; slice < this.#slices.length; slice++) {
      const from = slice * 2 ** this.#sliceShift;
      while (at < this.#places.length && (this.#places[at] as number) < from) at++;
      this.#slices[slice] = at;
    }
  }
}

type Points = { readonly places: Uint32Array<ArrayBuffer>; readonly owners: Uint32Array<ArrayBuffer> };

/** Points by 16 bits of their places, those with the same bits in the order they had (one pass of a radix sort, ten times as quick as a comparing one). */
function sorted({ places, owners }: Points, shift: number): Points {
  const starts = new Uint32Array(2 ** 16 + 1);
  const sliceOf = (place: number): number => (place >>> shift) & 0xffff;
  for (const place of places) starts[sliceOf(place) + 1] = (starts[sliceOf(place) + 1] as number) + 1;
  for (let slice = 1; slice < starts.length; slice++)
    starts[slice] = (starts[slice] as number) + (starts[slice - 1] as number);
  const result = { places: new Uint32Array(places.length), owners: new Uint32Array(places.length) };
  for (let from = 0; from < places.length; from++) {
    const place = places[from] as number;
    const slice = sliceOf(place);
    const to = starts[slice] as number;
    starts[slice] = to + 1;
    result.places[to] = place;
    result.owners[to] = owners[from] as number;
  }
  return result;
}
