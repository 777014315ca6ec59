import type { EndpointVerdict } from "../../core/endpoint-state.ts";
import type { CheckSettings } from "../../core/health-settings.ts";
import { sleep, within } from "../../kit/sleep.ts";
import type { Probe, ProbeResult } from "./probe.ts";

/**
 * How much of an interval lies between two checks: not always the same, so that the checks of many gateways do not fall together, and
 * so little that an endpoint which stands still is suspected before the interval is over.
 */
const shortestPause = 0.8;
const longestPause = 0.9;
/** A check is doubtful that takes this part of an interval, and at least so long, and so many times what good ones usually take. */
const doubtfulPart = 0.1;
const doubtfulMs = 100;
const doubtfulTimes = 4;
/** What one good check weighs in what is usual. */
const usualWeight = 0.2;
/** First checks of many endpoints are spread over this time, or the interval if it is shorter (ms). */
const firstSpreadMs = 250;

/** What checks have found about one endpoint so far. */
export type CheckFigures = {
  readonly good: number;
  readonly failed: number;
  /** The newest check: Unix milliseconds, its time in ms, and what was wrong with it. */
  readonly lastAt?: number;
  readonly lastMs?: number;
  readonly lastWhy?: string;
};

/** A finding that changes what is known. */
export type Finding = { readonly health: EndpointVerdict["health"]; readonly why: string };

/** How an endpoint is checked, and how traffic speaks TLS to it. */
export type CheckOf = CheckSettings & Pick<Probe, "tls">;

/** What is checked and how, and who hears of it. */
export type EndpointCheckOptions = {
  readonly host: string;
  readonly port: number;
  readonly settings: CheckOf;
  readonly probe: (probe: Probe, signal: AbortSignal) => Promise<ProbeResult>;
  readonly onFinding: (finding: Finding) => void;
  /** Something speaks against an endpoint that is healthy so far, and what it is; or nothing does any more. */
  readonly onSuspicion: (why: string | undefined) => void;
  /** What is known of it already. */
  readonly health: EndpointVerdict["health"];
};

/** The checks of one endpoint, until it is disposed. One that is long under way does not hold up the next ones. */
export class EndpointCheck implements Disposable {
  readonly #options: EndpointCheckOptions;
  readonly #stop = new AbortController();
  #settings: CheckOf;
  #health: EndpointVerdict["health"];
  /** Checks in a row that speak against `#health`. */
  #against = 0;
  #figures: CheckFigures = { good: 0, failed: 0 };
  #begun = 0;
  /** How many are under way that the next ones did not wait for. */
  #silent = 0;
  /** The newest that was good: those that began before it say nothing any more. And the newest that did not answer for a while. */
  #newestGood = 0;
  #newestSilent = 0;
  #isSuspected = false;
  /** How long a good check usually takes (ms), once one has been seen. */
  #usualMs: number | undefined;

  constructor(options: EndpointCheckOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#health = options.health;
  }

  /** Begins; called once. */
  start(): this {
    void this.#run();
    return this;
  }

  /** From the next check on. */
  set settings(settings: CheckOf) {
    this.#settings = settings;
  }

  get figures(): CheckFigures {
    return this.#figures;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    await sleep(Math.random() * Math.min(firstSpreadMs, this.#settings.intervalMs), signal);
    while (!signal.aborted) {
      const check = this.#check(signal);
      if (await this.#isSilent(check)) {
        this.#silent++;
        this.#newestSilent = this.#begun;
        this.#suspect("a check is not answered");
        void check.then(() => this.#silent--);
        continue;
      }
      await check;
      await sleep(this.#pauseMs(), signal);
    }
  }

  async #check(signal: AbortSignal): Promise<void> {
    const { host, port } = this.#options;
    const { probe, timeoutMs, proxyProtocol, tls } = this.#settings;
    const number = ++this.#begun;
    const result = await this.#options.probe({ settings: probe, host, port, timeoutMs, proxyProtocol, tls }, signal);
    if (!signal.aborted) this.#take(number, result);
  }

  /** An endpoint that stands still costs one timeout to find out, and not as many as failures in a row are needed. */
  async #isSilent(check: Promise<void>): Promise<boolean> {
    const mayOverlap = this.#health === "healthy" && this.#silent + 1 < this.#settings.unhealthy;
    return (
      mayOverlap &&
      within(
        check.then(() => false),
        this.#patienceMs(),
        true,
      )
    );
  }

  /** A suspicion is looked into so fast that it is settled within one interval. */
  #pauseMs(): number {
    const { intervalMs, unhealthy } = this.#settings;
    const isDoubtful = this.#health === "healthy" && this.#against + this.#silent > 0;
    const part = shortestPause + (longestPause - shortestPause) * Math.random();
    return (isDoubtful ? intervalMs / unhealthy : intervalMs) * part;
  }

  /** How long a check may go without an answer before that is suspicious, and the next one begins beside it. */
  #patienceMs(): number {
    if (this.#silent > 0) return this.#pauseMs();
    const { intervalMs } = this.#settings;
    if (this.#usualMs === undefined) return intervalMs / 2;
    const doubtful = Math.max(doubtfulMs, intervalMs * doubtfulPart, this.#usualMs * doubtfulTimes);
    return Math.min(intervalMs / 2, doubtful);
  }

  #take(number: number, result: ProbeResult): void {
    const { good, failed } = this.#figures;
    const last = { lastAt: Date.now(), lastMs: result.ms };
    this.#figures = result.isGood
      ? { good: good + 1, failed, ...last }
      : { good, failed: failed + 1, ...last, lastWhy: result.why };
    if (number < this.#newestGood) return;
    if (result.isGood) {
      this.#newestGood = number;
      this.#usualMs ??= result.ms;
      this.#usualMs += (result.ms - this.#usualMs) * usualWeight;
    }
    const found = result.isGood ? "healthy" : "unhealthy";
    this.#against = found === this.#health ? 0 : this.#against + 1;
    if (this.#against === 0 || this.#against < this.#needed()) {
      this.#suspect(result.isGood ? undefined : result.why);
      return;
    }
    this.#against = 0;
    this.#health = found;
    this.#isSuspected = false;
    this.#options.onFinding({ health: found, why: result.isGood ? "" : result.why });
  }

  #suspect(why: string | undefined): void {
    const isSuspected = this.#health === "healthy" && (this.#against > 0 || this.#newestSilent > this.#newestGood);
    if (isSuspected === this.#isSuspected) return;
    this.#isSuspected = isSuspected;
    this.#options.onSuspicion(isSuspected ? why : undefined);
  }

  #needed(): number {
    if (this.#health === "unchecked") return 1;
    return this.#health === "healthy" ? this.#settings.unhealthy : this.#settings.healthy;
  }
}
