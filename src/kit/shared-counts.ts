import type { SharedMemory } from "./shared-memory.ts";
import { hashPair } from "./text-hash.ts";

/** How far from its home an entry may stand. */
const windowSize = 16;
/** Attempts to get a place while another process tries to get the same one. */
const mostTries = 100;

/**
 * Counts by key over several processes. A process writes only to its own region, so that one that is killed leaves nothing half done: what
 * it has counted is forgotten with its region. An entry is a word for the key and a word for the count; one that has counted down to zero
 * is used again when its neighbourhood is full. A key that finds no entry is counted for its own process alone.
 */
export class SharedCounts {
  readonly #memory: SharedMemory;

  constructor(memory: SharedMemory) {
    this.#memory = memory;
  }

  /** The count of a key, which begins at 0 for this process; ask only once for each key. */
  of(key: string): SharedCount {
    const { high, low } = hashPair(key, this.#memory.seed);
    // 0 marks an entry of nobody.
    return new SharedCount(this.#memory, { word: high | 0 || 1, home: low });
  }
}

type Place = { readonly word: number; readonly home: number };

/** One count. */
export class SharedCount {
  readonly #memory: SharedMemory;
  readonly #place: Place;
  #own = 0;
  /** Where it stood last. */
  #at = -1;

  constructor(memory: SharedMemory, place: Place) {
    this.#memory = memory;
    this.#place = place;
  }

  /** What this process has counted. */
  get own(): number {
    return this.#own;
  }

  /** What all others have counted. */
  get others(): number {
    const { usedRegions, region } = this.#memory;
    let sum = 0;
    for (let other = 0; other < usedRegions; other++) {
      if (other !== region && this.#memory.isInUse(other)) sum += this.#read(other);
    }
    return sum;
  }

  add(step: number): void {
    this.#own += step;
    const { words } = this.#memory;
    if (this.#at < 0 || Atomics.load(words, this.#at) !== this.#place.word) this.#at = this.#findPlace();
    if (this.#at >= 0) Atomics.store(words, this.#at + 1, this.#own);
  }

  /**
   * Adds one unless that made it more than `limit` in all. Two processes that want the last place at once see each other and step back;
   * whoever then finds it free takes it, so it is never given twice and never to nobody.
   */
  tryAdd(limit: number): boolean {
    for (let tries = 0; tries < mostTries; tries++) {
      this.add(1);
      if (this.#own + this.others <= limit) return true;
      this.add(-1);
      if (this.#own + this.others >= limit) return false;
    }
    return false;
  }

  #read(region: number): number {
    const { words, shape } = this.#memory;
    const { word, home } = this.#place;
    const start = this.#memory.entriesOf(region);
    for (let step = 0; step < windowSize; step++) {
      const at = start + ((home + step) & (shape.entries - 1)) * 2;
      const found = Atomics.load(words, at);
      if (found === 0) return 0;
      if (found !== word) continue;
      const count = Atomics.load(words, at + 1);
      // Its owner may have given the entry to another key meanwhile, and then this one counts nothing.
      return Atomics.load(words, at) === word ? count : 0;
    }
    return 0;
  }

  /** The entry of the key, an empty one, or one that counts nothing; -1 if there is none of these. */
  #findPlace(): number {
    const { words, shape, region } = this.#memory;
    const { word, home } = this.#place;
    const start = this.#memory.entriesOf(region);
    let spare = -1;
    for (let step = 0; step < windowSize; step++) {
      const at = start + ((home + step) & (shape.entries - 1)) * 2;
      const found = Atomics.load(words, at);
      if (found === word) return at;
      if (found === 0) {
        spare = at;
        break;
      }
      if (spare < 0 && Atomics.load(words, at + 1) === 0) spare = at;
    }
    if (spare >= 0) Atomics.store(words, spare, word);
    return spare;
  }
}
