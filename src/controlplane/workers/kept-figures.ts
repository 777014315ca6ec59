import type { MetricFamily, MetricValue } from "../../core/figures.ts";

/** Keeps what workers counted when they are gone, as of the last time they were asked: sums over all workers must not fall. */
export class KeptFigures {
  /** By worker, as it said last. */
  readonly #last = new Map<string, readonly MetricFamily[]>();
  readonly #kept = new Map<string, { readonly family: MetricFamily; readonly values: Map<string, MetricValue> }>();

  /** The counters of all workers that are gone. */
  get families(): readonly MetricFamily[] {
    return [...this.#kept.values()].map(({ family, values }) => ({ ...family, values: [...values.values()] }));
  }

  /** What a living worker says. */
  note(worker: string, families: readonly MetricFamily[]): void {
    this.#last.set(worker, families);
  }

  /** What a worker said last is told by others from now on. */
  forget(worker: string): void {
    this.#last.delete(worker);
  }

  /** A worker is gone; the next one of its name begins at 0. `families` is what it said last, if it did. */
  keep(worker: string, families = this.#last.get(worker) ?? []): void {
    this.#last.delete(worker);
    // What is true at a moment only ends with the worker, and what a process has used was its own.
    for (const family of families)
      if (family.type !== "gauge" && !family.name.startsWith("process_")) this.#add(family);
  }

  #add(family: MetricFamily): void {
    const sum = this.#kept.get(family.name) ?? { family, values: new Map<string, MetricValue>() };
    this.#kept.set(family.name, sum);
    for (const value of family.values) {
      const key = JSON.stringify([value.metricName, Object.entries(value.labels).sort()]);
      sum.values.set(key, { ...value, value: value.value + (sum.values.get(key)?.value ?? 0) });
    }
  }
}
