import type { Endpoint } from "./endpoint.ts";
import type { Pooled } from "./pool.ts";

/** An endpoint that is lent for one request or one session, and counted until the lease is disposed. */
export class Lease<Connection extends Pooled> implements Disposable {
  readonly endpoint: Endpoint<Connection>;
  /** What it counts as; undefined once it is back. */
  #what: "sessions" | "requests" | undefined;

  constructor(endpoint: Endpoint<Connection>, what: "sessions" | "requests") {
    this.endpoint = endpoint;
    this.#what = what;
    endpoint.count(what, 1);
  }

  [Symbol.dispose](): void {
    if (this.#what !== undefined) this.endpoint.count(this.#what, -1);
    this.#what = undefined;
  }
}
