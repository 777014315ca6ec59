import type { MetricFamily, MetricValue } from "../../core/figures.ts";

/**
 * Keeps what workers counted when they are gone, as of the last time they were asked: sums over all workers must neither fall nor count
 * anything twice. A worker is known by the object that stands for it, whatever its process is called.
 */
export class KeptFigures {
  /** By worker, as it said last. */
  readonly #last = new WeakMap<object, readonly MetricFamily[]>();
  /** Workers whose last words are counted. */
  readonly #gone = new WeakSet<object>();
  /** Workers that have spoken since their sessions went to others. */
  readonly #lighter = new WeakSet<object>();
  readonly #kept = new Map<string, { readonly family: MetricFamily; readonly values: Map<string, MetricValue> }>();

  /** The counters of all workers that are gone. */
  get families(): readonly MetricFamily[] {
    return [...this.#kept.values()].map(({ family, values }) => ({ ...family, values: [...values.values()] }));
  }

  /** What a worker says; an answer that comes behind its farewell is in that already. */
  note(worker: object, families: readonly MetricFamily[]): void {
    if (!this.#gone.has(worker)) this.#last.set(worker, families);
  }

  /** What a worker says once its sessions are another's, who counts what these have carried. */
  noteHandedOver(worker: object, families: readonly MetricFamily[]): void {
    this.note(worker, families);
    this.#lighter.add(worker);
  }

  /** Another worker has the sessions of this one, and counts them: what this one said before that is not true any more. */
  handOver(worker: object): void {
    if (!this.#lighter.has(worker)) this.#last.delete(worker);
  }

  /** What a worker said last, as long as it is not kept here. */
  of(worker: object): readonly MetricFamily[] {
    return this.#last.get(worker) ?? [];
  }

  /** The worker's process is gone; the next one begins at 0. */
  keep(worker: object): void {
    this.#keep(worker, this.of(worker));
    this.#gone.delete(worker);
  }

  /** The last words of a worker, after which it counts nothing. */
  keepFarewell(worker: object, families: readonly MetricFamily[]): void {
    this.#keep(worker, families);
    this.#gone.add(worker);
  }

  #keep(worker: object, families: readonly MetricFamily[]): void {
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
