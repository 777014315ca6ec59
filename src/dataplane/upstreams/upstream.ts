import { GatewayError } from "../../core/errors.ts";
import type { UpstreamStatus } from "../../core/figures.ts";
import { formatAddress, type UpstreamSettings } from "../../core/snapshot.ts";
import { type Balancer, LeastSessions, RoundRobin } from "./balancer.ts";
import { Endpoint } from "./endpoint.ts";
import type { Pooled } from "./pool.ts";

/** An endpoint that is lent for one request or one session, and counted until the lease is disposed. */
export class Lease<Connection extends Pooled> implements Disposable {
  readonly endpoint: Endpoint<Connection>;
  readonly #what: "sessions" | "requests";
  #isHeld = true;

  constructor(endpoint: Endpoint<Connection>, what: "sessions" | "requests") {
    this.endpoint = endpoint;
    this.#what = what;
    endpoint[what]++;
  }

  [Symbol.dispose](): void {
    if (this.#isHeld) this.endpoint[this.#what]--;
    this.#isHeld = false;
  }
}

/** A named service at run time. It survives snapshots, and with it its counts and its idle connections. */
export class Upstream<Connection extends Pooled> {
  readonly name: string;
  #settings: UpstreamSettings;
  #balancer: Balancer;
  #endpoints: readonly Endpoint<Connection>[] = [];
  /** Those that may get something new. */
  #open: readonly Endpoint<Connection>[] = [];
  /** No longer configured, but still in use. */
  #leaving: readonly Endpoint<Connection>[] = [];

  constructor(settings: UpstreamSettings) {
    this.name = settings.name;
    this.#settings = settings;
    this.#balancer = createBalancer(settings.balance);
    this.update(settings);
  }

  /** Takes over new settings and returns the addresses that are gone. Endpoints that stay keep their counts. */
  update(settings: UpstreamSettings): string[] {
    if (settings.balance !== this.#settings.balance) this.#balancer = createBalancer(settings.balance);
    this.#settings = settings;
    const before = new Map([...this.#endpoints, ...this.#leaving].map((endpoint) => [endpoint.address, endpoint]));
    const wasActive = this.#endpoints.map((endpoint) => endpoint.address);
    this.#endpoints = settings.endpoints.map((wanted) => {
      const endpoint = before.get(formatAddress(wanted)) ?? new Endpoint<Connection>(wanted, settings.pool);
      endpoint.weight = wanted.weight;
      endpoint.isLeaving = false;
      endpoint.pool.limits = settings.pool;
      before.delete(endpoint.address);
      return endpoint;
    });
    this.#open = this.#endpoints.filter((endpoint) => endpoint.weight > 0);
    this.#leaving = [...before.values()].filter((endpoint) => this.#leave(endpoint));
    return wasActive.filter((address) => before.has(address));
  }

  /** Every endpoint goes: the upstream is no longer configured. Returns the addresses that are gone. */
  close(): string[] {
    return this.update({ ...this.#settings, endpoints: [] });
  }

  get isUnused(): boolean {
    return this.#endpoints.length === 0 && this.#leaving.every((endpoint) => endpoint.load === 0);
  }

  /** How many endpoints there are to try. */
  get openEndpoints(): number {
    return this.#open.length;
  }

  /** Lends an endpoint that is not in `tried`; throws `upstream_empty` if there is none. Counts until it is disposed. */
  lease(what: "sessions" | "requests", tried: ReadonlySet<Endpoint<Connection>>): Lease<Connection> {
    const candidates = tried.size === 0 ? this.#open : this.#open.filter((endpoint) => !tried.has(endpoint));
    if (candidates.length === 0)
      throw new GatewayError("upstream_empty", `the upstream ${this.name} has no endpoint to offer`);
    const endpoint =
      candidates.length === 1 ? (candidates[0] as Endpoint<Connection>) : this.#balancer.pick(candidates);
    return new Lease(endpoint, what);
  }

  /** Ends idle connections that are too old. `now` in milliseconds. */
  expire(now: number): void {
    for (const endpoint of this.#endpoints) endpoint.pool.expire(now);
    this.#leaving = this.#leaving.filter((endpoint) => endpoint.load > 0);
  }

  get status(): UpstreamStatus {
    const endpoints = [...this.#endpoints, ...this.#leaving].map((endpoint) => endpoint.status);
    return { name: this.name, balance: this.#settings.balance, endpoints };
  }

  #leave(endpoint: Endpoint<Connection>): boolean {
    endpoint.isLeaving = true;
    endpoint.pool.clear();
    return endpoint.load > 0;
  }
}

function createBalancer(balance: UpstreamSettings["balance"]): Balancer {
  switch (balance) {
    case "least-sessions":
      return new LeastSessions();
    case "round-robin":
      return new RoundRobin();
  }
}
