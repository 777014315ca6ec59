import type { MetricValue } from "../core/figures.ts";

/** Upper bounds, ascending. */
export type Bounds = readonly number[];

/** Counts observations in buckets. */
export class Histogram {
  readonly #bounds: Bounds;
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] as number)) at++;
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#sum += value;
  }

  /** Buckets are cumulative, as metric pages have them. */
  values(name: string, labels: Readonly<Record<string, string>>): MetricValue[] {
    let total = 0;
    const buckets = [...this.#counts].map((count, at) => {
      total += count;
      return { metricName: `${name}_bucket`, labels: { ...labels, le: this.#bounds[at] ?? "+Inf" }, value: total };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: total },
    ];
  }
}
