/** Where things lie in memory that several processes map. All in 32-bit words. */
const headerWords = 16;
const version = 1;

/** How many processes may write, how many keys each of them may count, and how many rate buckets there are for all. Powers of two. */
export type SharedShape = { readonly regions: number; readonly entries: number; readonly buckets: number };

/** Enough for 64 workers and their successors; half a megabyte for each that runs, and for the buckets. */
export const usualShape: SharedShape = { regions: 128, entries: 65_536, buckets: 65_536 };

/** What a process tells of itself without being asked, for those who find it dead. */
export type Tally = { readonly sessions: number; readonly requests: number };

/** Where the number of the first region stands from which on none is in use: a 32-bit word (bytes). */
export const usedRegionsAt = 20;

/** Bytes of memory of this shape. */
export function sharedBytes(shape: SharedShape): number {
  return (headerWords + shape.buckets * 2 + shape.regions * regionWords(shape)) * 4;
}

/** The first bytes: what every process reads, and the rate buckets, which are empty. */
export function blankHead(shape: SharedShape, seed: number): Uint8Array {
  const head = new Int32Array(headerWords + shape.buckets * 2);
  head.set([version, seed, shape.regions, shape.entries, shape.buckets]);
  return new Uint8Array(head.buffer);
}

/** An empty region that is in use, and where it lies (bytes). */
export function blankRegion(shape: SharedShape, region: number): { readonly bytes: Uint8Array; readonly at: number } {
  const words = new Int32Array(regionWords(shape));
  words[0] = 1;
  return { bytes: new Uint8Array(words.buffer), at: regionIn(shape, region) };
}

/** Where a region begins (bytes); its first word is not 0 while it is in use. */
export function regionIn(shape: SharedShape, region: number): number {
  return regionStart(shape, region) * 4;
}

/** Bytes at the beginning of a region that `readTally` needs. */
export const tallyBytes = 12;

/** What the owner of a region has told of itself. */
export function readTally(bytes: Uint8Array): Tally {
  const words = new Int32Array(bytes.slice(0, tallyBytes).buffer);
  return { sessions: words[1] ?? 0, requests: words[2] ?? 0 };
}

/**
 * Memory that several processes share (or that one has for itself): each writes counts to its own region only and reads those of all,
 * and all use the same rate buckets.
 */
export class SharedMemory {
  readonly shape: SharedShape;
  readonly seed: number;
  readonly region: number;
  readonly words: Int32Array;
  /** The rate buckets, a word of 64 bits each. */
  readonly buckets: BigInt64Array;
  /** What is added to this process's clock so that all have the same one (ms). */
  readonly clockOffsetMs: number;

  private constructor(bytes: Uint8Array, own: { readonly region: number; readonly clockOffsetMs: number }) {
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    const [found, seed = 0, regions = 0, entries = 0, buckets = 0] = this.words;
    if (found !== version) throw new Error(`shared memory has layout ${found}, not ${version}`);
    this.shape = { regions, entries, buckets };
    this.seed = seed;
    this.region = own.region;
    this.clockOffsetMs = own.clockOffsetMs;
    this.buckets = new BigInt64Array(bytes.buffer, bytes.byteOffset + headerWords * 4, buckets);
  }

  /** Memory of which `region` is this process's own. */
  static of(bytes: Uint8Array, own: { readonly region: number; readonly clockOffsetMs: number }): SharedMemory {
    return new SharedMemory(bytes, own);
  }

  /** Memory of one process alone. */
  static alone(): SharedMemory {
    const shape = { ...usualShape, regions: 1 };
    const bytes = new Uint8Array(sharedBytes(shape));
    bytes.set(blankHead(shape, 0).subarray(0, headerWords * 4));
    return new SharedMemory(bytes, { region: 0, clockOffsetMs: 0 });
  }

  /** Where a region begins. */
  startOf(region: number): number {
    return regionStart(this.shape, region);
  }

  /** Where the entries of a region begin. */
  entriesOf(region: number): number {
    return regionStart(this.shape, region) + headerWords;
  }

  /** Tells what this process does. */
  tally(what: keyof Tally, step: 1 | -1): void {
    const at = this.startOf(this.region) + (what === "sessions" ? 1 : 2);
    Atomics.store(this.words, at, Atomics.load(this.words, at) + step);
  }

  /** No region from this one on is in use. */
  get usedRegions(): number {
    return Atomics.load(this.words, usedRegionsAt / 4);
  }

  /** False for regions of nobody. */
  isInUse(region: number): boolean {
    return Atomics.load(this.words, this.startOf(region)) !== 0;
  }
}

function regionWords(shape: SharedShape): number {
  return headerWords + shape.entries * 2;
}

function regionStart(shape: SharedShape, region: number): number {
  return headerWords + shape.buckets * 2 + region * regionWords(shape);
}
