import { Backoff } from "../../kit/backoff.ts";

/** A process that lived that long did not die of its start (ms). */
const lastingMs = 10_000;

/** How often one worker was started anew, and when it may be the next time. */
export class Restarts {
  readonly #backoff: Backoff;
  #startedAt = Date.now();
  /** Those before this control process, or before an upgrade. */
  #before: number;
  #own = 0;
  #failures = 0;

  constructor({ backoff, before }: { readonly backoff: Backoff | undefined; readonly before: number | undefined }) {
    this.#backoff = backoff ?? new Backoff({ firstMs: 100, mostMs: 5000, calmMs: 60_000 });
    this.#before = before ?? 0;
  }

  /** How often a process was started after one ended unasked. */
  get count(): number {
    return this.#own + this.#before;
  }

  /** True if this was started anew here, and not only in the place of one that was. */
  get isAny(): boolean {
    return this.#own > 0;
  }

  /** How many processes in a row ended within seconds of their start. */
  get failures(): number {
    return this.#failures;
  }

  /** When the present process was started, or found: Unix milliseconds. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** True once the present process has lived for a while. */
  get hasLasted(): boolean {
    return Date.now() - this.#startedAt >= lastingMs;
  }

  /** A process begins, or is found. */
  begin(): void {
    this.#startedAt = Date.now();
  }

  /** It ended unasked; says how long to wait before the next one (ms). */
  next(): number {
    this.#failures = this.hasLasted ? 1 : this.#failures + 1;
    this.#own++;
    return Math.round(this.#backoff.next(performance.now()));
  }

  /** Another one counts on in its place. */
  handOn(): void {
    this.#own = this.#before = 0;
  }
}
