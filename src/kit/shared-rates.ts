import type { SharedMemory } from "./shared-memory.ts";
import { hashPair } from "./text-hash.ts";
import type { BucketRate } from "./token-bucket.ts";

/** Buckets that a key may have, next to each other. */
const ways = 8;
const ticksPerMs = 16_384;
/** A bucket is one word: the upper 20 bits tell keys apart, the lower 44 say when it is full again (ticks). */
const timeBits = 44n;
const timeSpan = 2 ** 44;
/** A sum of fractions may fall short of a whole token by a rounding error (tokens). */
const roundingError = 1e-6;

/**
 * Token buckets by key that several processes share. What is kept of a bucket is the moment when it will be full again (GCRA, the generic
 * cell rate algorithm), in one word that is exchanged atomically, so no token is given twice and none is lost. A full bucket says no
 * more than none at all and makes way; if all around a key are in use, the one that is full first does.
 */
export class SharedRates {
  readonly #memory: SharedMemory;

  constructor(memory: SharedMemory) {
    this.#memory = memory;
  }

  /** How long until there is a token for a key (ms); 0 if there is one now. `now` is this process's monotonic clock in ms. */
  waitMs(key: string, limit: BucketRate, now: number): number {
    return this.#waitTicks(this.#find(this.#place(key), this.#ticks(now)).fullIn, limit) / ticksPerMs;
  }

  /** Takes a token, or says how long until there is one (ms); 0 if it was taken. */
  take(key: string, limit: BucketRate, now: number): number {
    const place = this.#place(key);
    const ticks = this.#ticks(now);
    for (;;) {
      const bucket = this.#find(place, ticks);
      const wait = this.#waitTicks(bucket.fullIn, limit);
      if (wait > 0) return wait / ticksPerMs;
      const token = ticksOfToken(limit);
      const fullIn = Math.min(bucket.fullIn, token * limit.burst) + token;
      if (this.#exchange(bucket, wordOf(place.check, ticks + Math.round(fullIn)))) return 0;
    }
  }

  /** Gives back a token that was taken at this rate. */
  giveBack(key: string, limit: BucketRate, now: number): void {
    const place = this.#place(key);
    const ticks = this.#ticks(now);
    for (;;) {
      const bucket = this.#find(place, ticks);
      if (bucket.fullIn === 0) return;
      const fullIn = Math.max(0, Math.round(bucket.fullIn - ticksOfToken(limit)));
      if (this.#exchange(bucket, wordOf(place.check, ticks + fullIn))) return;
    }
  }

  #waitTicks(fullIn: number, { rate, burst }: BucketRate): number {
    const token = ticksOfToken({ rate, burst });
    const lacking = Math.min(fullIn, token * burst) - (burst - 1) * token;
    return lacking <= token * roundingError + 1 ? 0 : lacking;
  }

  #ticks(now: number): number {
    return Math.round((now + this.#memory.clockOffsetMs) * ticksPerMs);
  }

  #place(key: string): Place {
    const { high, low } = hashPair(key, this.#memory.seed);
    const sets = this.#memory.shape.buckets / ways;
    return { check: (high % 1_048_575) + 1, first: (low % sets) * ways };
  }

  /** The bucket of a key, or the one that makes way for it. */
  #find({ check, first }: Place, ticks: number): Bucket {
    const { buckets } = this.#memory;
    let spare: Bucket = { at: first, word: 0n, fullIn: Number.POSITIVE_INFINITY };
    for (let at = first; at < first + ways; at++) {
      const word = Atomics.load(buckets, at);
      const fullIn = fullInOf(word, ticks);
      if (checkOf(word) === check) return { at, word, fullIn };
      if (fullIn < spare.fullIn) spare = { at, word, fullIn };
    }
    return { ...spare, fullIn: 0 };
  }

  #exchange({ at, word }: Bucket, next: bigint): boolean {
    return Atomics.compareExchange(this.#memory.buckets, at, word, next) === word;
  }
}

type Place = { readonly check: number; readonly first: number };

/** `fullIn` in ticks; 0 if it is full. */
type Bucket = { readonly at: number; readonly word: bigint; readonly fullIn: number };

function ticksOfToken({ rate }: BucketRate): number {
  return (1000 * ticksPerMs) / rate;
}

function wordOf(check: number, ticks: number): bigint {
  return BigInt.asIntN(64, (BigInt(check) << timeBits) | BigInt(ticks % timeSpan));
}

function checkOf(word: bigint): number {
  return Number(BigInt.asUintN(20, word >> timeBits));
}

/** Time goes round in a circle of 12 days: what seems to be more than 6 days ahead is long past. */
function fullInOf(word: bigint, ticks: number): number {
  const at = Number(BigInt.asUintN(44, word));
  const ahead = (((at - (ticks % timeSpan)) % timeSpan) + timeSpan) % timeSpan;
  return ahead < timeSpan / 2 ? ahead : 0;
}
