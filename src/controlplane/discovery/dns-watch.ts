import type { DnsDiscovery } from "../../core/discovery-settings.ts";
import type { EndpointSettings } from "../../core/snapshot.ts";
import { Backoff } from "../../kit/backoff.ts";
import { sleep } from "../../kit/sleep.ts";
import { type Found, lookUp } from "./dns-lookup.ts";

/** How far the time between two questions is off, so that many gateways do not ask together. */
const jitter = 0.1;

/** Who hears what becomes of a name. */
export interface DnsWatchListener {
  /** There are other endpoints than before, or the first ones. */
  onFound(endpoints: readonly EndpointSettings[]): void;
  /** Nobody answers, or nonsense; what was found last stays. Told once until it is found again. */
  onFailed(why: string): void;
  /** It is found again, and is what it was. */
  onBack(): void;
}

/** Asks DNS for one name, again and again until it is disposed. */
export class DnsWatch implements Disposable {
  readonly #discovery: DnsDiscovery;
  readonly #listener: DnsWatchListener;
  readonly #stop = new AbortController();
  readonly #asked = Promise.withResolvers<void>();
  readonly #lookUp: (discovery: DnsDiscovery) => Promise<Found>;
  #endpoints: readonly EndpointSettings[] = [];
  #isFailing = false;
  #failures = 0;

  constructor(discovery: DnsDiscovery, listener: DnsWatchListener, look = lookUp) {
    this.#discovery = discovery;
    this.#listener = listener;
    this.#lookUp = look;
  }

  /** Begins; called once. */
  start(): this {
    void this.#run();
    return this;
  }

  /** What was found last. */
  get endpoints(): readonly EndpointSettings[] {
    return this.#endpoints;
  }

  /** Questions that found nothing. */
  get failures(): number {
    return this.#failures;
  }

  /** Resolves when the first question has an answer, or none. */
  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#asked.resolve();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { minTtlMs, maxTtlMs } = this.#discovery;
    const mostMs = Math.max(minTtlMs, 1000);
    const backoff = new Backoff({ firstMs: Math.min(minTtlMs, 1000), mostMs, calmMs: 2 * mostMs });
    while (!signal.aborted) {
      let waitMs: number;
      try {
        const { endpoints, ttl } = await this.#lookUp(this.#discovery);
        if (signal.aborted) return;
        this.#take(endpoints);
        waitMs = Math.min(maxTtlMs, Math.max(minTtlMs, ttl * 1000)) * (1 - jitter * Math.random());
      } catch (error) {
        if (signal.aborted) return;
        this.#fail(error instanceof Error ? error.message : String(error));
        waitMs = backoff.next(performance.now());
      }
      this.#asked.resolve();
      await sleep(waitMs, signal);
    }
  }

  #take(endpoints: readonly EndpointSettings[]): void {
    const wasFailing = this.#isFailing;
    this.#isFailing = false;
    if (!Bun.deepEquals(endpoints, this.#endpoints)) {
      this.#endpoints = endpoints;
      this.#listener.onFound(endpoints);
    } else if (wasFailing) {
      this.#listener.onBack();
    }
  }

  #fail(why: string): void {
    this.#failures++;
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#listener.onFailed(why);
  }
}
