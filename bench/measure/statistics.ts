/** The middle value; the mean of the two middle ones where their number is even. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** How far the middle half of the values lies apart, as a share of the median; of three and less, all of them. */
export function spread(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const outside = Math.floor(sorted.length / 4);
  const [lowest = 0, highest = 0] = [sorted[outside], sorted[sorted.length - 1 - outside]];
  return values.length < 2 ? 0 : (highest - lowest) / median(sorted);
}

const subBuckets = 64;
const largest = 2 ** 30;

/** Counts whole microseconds in buckets at most 1.6 % wide, so that recording allocates nothing and percentiles need no sorting. */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(26 * subBuckets);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** Records one latency in microseconds. */
  record(micros: number): void {
    const value = micros < 0 ? 0 : micros > largest ? largest : micros | 0;
    const shift = value < 2 * subBuckets ? 0 : 25 - Math.clz32(value);
    const bucket = shift * subBuckets + (value >> shift);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** The latency in microseconds that the share `quantile` (0 to 1) of all recorded ones does not exceed. */
  percentile(quantile: number): number {
    const wanted = Math.max(1, Math.ceil(this.#total * quantile));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= wanted) return largestOf(bucket);
    }
    return 0;
  }
}

function largestOf(bucket: number): number {
  const shift = bucket < 2 * subBuckets ? 0 : (bucket >> 6) - 1;
  return ((bucket - shift * subBuckets + 1) << shift) - 1;
}
