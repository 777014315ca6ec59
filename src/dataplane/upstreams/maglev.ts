import { hashText, mix } from "../../kit/text-hash.ts";
import { type Balancer, type Candidate, isSameOffer } from "./candidate.ts";

/** A prime, so that every step leads to every place of the table. */
const tableSize = 65_537;
const free = 0xffff_ffff;

/**
 * Consistent hashing by a table (Eisenbud and others, "Maglev", NSDI 2016, §3.4): exact shares and a look-up of one step; in exchange, a few
 * keys of others move when an endpoint comes or goes.
 */
export class Maglev<C extends Candidate> implements Balancer<C> {
  #candidates: readonly C[] = [];
  #isBuilt = true;
  #weights: readonly number[] = [];
  readonly #table = new Uint32Array(tableSize);

  offer(candidates: readonly C[]): void {
    if (isSameOffer(candidates, this.#candidates, this.#weights)) return;
    this.#candidates = candidates.slice();
    this.#weights = candidates.map(({ weight }) => weight);
    // Many endpoints may change at a time, and the next key is the first that needs to know.
    this.#isBuilt = false;
  }

  pick(tried: ReadonlySet<C>, hash: number): C | undefined {
    if (!this.#isBuilt) this.#build();
    if (this.#candidates.length === 0) return undefined;
    let at = hash % tableSize;
    for (let step = 0; step < tableSize; step++) {
      // A table that is built holds numbers of candidates only.
      const candidate = this.#candidates[this.#table[at] as number] as C;
      if (tried.size === 0 || !tried.has(candidate)) return candidate;
      at = at + 1 === tableSize ? 0 : at + 1;
    }
    return undefined;
  }

  /** Each in turn takes the next free place of its own order of all places; the lighter ones miss turns. */
  #build(): void {
    this.#isBuilt = true;
    const { length } = this.#candidates;
    if (length === 0) return;
    this.#table.fill(free);
    const weights = Float64Array.from(this.#candidates, ({ weight }) => weight);
    const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0);
    const places = Float64Array.from(this.#candidates, ({ address }) => hashText(address) % tableSize);
    const steps = Float64Array.from(
      this.#candidates,
      ({ address }) => (mix(hashText(address) + 1) % (tableSize - 1)) + 1,
    );
    const saved = new Float64Array(length);
    for (let filled = 0; filled < tableSize; ) {
      for (let index = 0; index < length && filled < tableSize; index++) {
        saved[index] = (saved[index] as number) + (weights[index] as number);
        if ((saved[index] as number) < heaviest) continue;
        saved[index] = (saved[index] as number) - heaviest;
        let at = places[index] as number;
        while (this.#table[at] !== free) at = (at + (steps[index] as number)) % tableSize;
        this.#table[at] = index;
        places[index] = at;
        filled++;
      }
    }
  }
}
