import type { EndpointState, EndpointVerdict, UpstreamNotice } from "../../core/endpoint-state.ts";
import { GatewayError } from "../../core/errors.ts";
import type { UpstreamStatus } from "../../core/figures.ts";
import { type EndpointSettings, formatAddress, type UpstreamSettings } from "../../core/snapshot.ts";
import type { SharedMemory } from "../../kit/shared-memory.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import { type Balancer, LeastSessions, RoundRobin } from "./balancer.ts";
import { type CircuitLimit, limitInTheWay, totalLoad, upstreamFull } from "./circuit.ts";
import { Endpoint } from "./endpoint.ts";
import { LeaseCounts } from "./lease-counts.ts";
import type { Pooled } from "./pool.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { EjectionOwner } from "./traffic-health.ts";

/** An endpoint that is lent for one request or one session, and counted until the lease is disposed. */
export class Lease<Connection extends Pooled> implements Disposable {
  readonly endpoint: Endpoint<Connection>;
  readonly #what: "sessions" | "requests";
  #isHeld = true;

  constructor(endpoint: Endpoint<Connection>, what: "sessions" | "requests") {
    this.endpoint = endpoint;
    this.#what = what;
    endpoint.count(what, 1);
  }

  [Symbol.dispose](): void {
    if (this.#isHeld) this.endpoint.count(this.#what, -1);
    this.#isHeld = false;
  }
}

/** An endpoint is something else now than it was. */
export type EndpointChange = {
  readonly upstream: string;
  readonly address: string;
  readonly before: EndpointState;
  readonly state: EndpointState;
  readonly why: string;
  /** An operator drains it. */
  readonly isAskedFor: boolean;
  readonly settings: UpstreamSettings;
};

/** What an upstream needs of the gateway. Without a wheel nobody is ejected; without memory it counts for itself alone. */
export type UpstreamParts = {
  readonly memory?: SharedMemory | undefined;
  readonly wheel?: TimerWheel;
  readonly onChange?: (change: EndpointChange) => void;
  readonly onNotice?: (notice: UpstreamNotice) => void;
};

/** A named service at run time. It survives snapshots, and with it its counts and its idle connections. */
export class Upstream<Connection extends Pooled> {
  readonly name: string;
  #settings: UpstreamSettings;
  #balancer: Balancer;
  #endpoints: readonly Endpoint<Connection>[] = [];
  /** Those that may get something new. */
  #offered: readonly Endpoint<Connection>[] = [];
  #isPanicking = false;
  /** No longer configured, but still in use. */
  #leaving: readonly Endpoint<Connection>[] = [];
  readonly #parts: UpstreamParts;
  /** Further tries, and those that the budget refused; and exchanges that a limit refused. */
  readonly retries = { tried: 0, over_budget: 0 };
  readonly refusals = { sessions: 0, requests: 0, connects: 0 };
  readonly #retryBudget: RetryBudget;

  constructor(settings: UpstreamSettings, parts: UpstreamParts = {}) {
    this.name = settings.name;
    this.#parts = parts;
    this.#retryBudget = new RetryBudget(() => parts.wheel?.clock() ?? 0);
    this.#settings = settings;
    this.#balancer = createBalancer(settings.balance);
    this.update(settings);
  }

  /** Takes over new settings. Endpoints that stay keep their counts, and what is known of their health. */
  update(settings: UpstreamSettings): void {
    if (settings.balance !== this.#settings.balance) this.#balancer = createBalancer(settings.balance);
    this.#settings = settings;
    const before = new Map([...this.#endpoints, ...this.#leaving].map((endpoint) => [endpoint.address, endpoint]));
    this.#endpoints = settings.endpoints.map((wanted) => {
      const address = formatAddress(wanted);
      const endpoint = before.get(address) ?? this.#newEndpoint(wanted);
      before.delete(address);
      return endpoint;
    });
    this.#leaving = [...before.values()];
    for (const [at, endpoint] of this.#endpoints.entries()) {
      const { weight, isSecure = false } = settings.endpoints[at] as UpstreamSettings["endpoints"][number];
      if (endpoint.isSecure !== isSecure || endpoint.proxyProtocol !== settings.proxyProtocol)
        endpoint.renewPool(settings.pool);
      endpoint.isSecure = isSecure;
      endpoint.proxyProtocol = settings.proxyProtocol;
      endpoint.weight = weight;
      // A connection that names a client is that client's alone.
      endpoint.pool.limits = settings.proxyProtocol === undefined ? settings.pool : { idle: 0, idleMs: 0 };
      this.#change(endpoint, () => {
        endpoint.standing.grounds = { isLeaving: false, hasWeight: weight > 0 };
      });
    }
    for (const endpoint of this.#leaving) this.#leave(endpoint);
    this.#leaving = this.#leaving.filter((endpoint) => endpoint.ownLoad > 0);
    this.#offer();
  }

  /** Idle connections were made secure in a way that does not hold any more. */
  renewPools(): void {
    for (const endpoint of this.#endpoints) endpoint.renewPool(this.#settings.pool);
  }

  /** Every endpoint goes: the upstream is no longer configured. */
  close(): void {
    this.update({ ...this.#settings, endpoints: [] });
  }

  /** Takes over what checks or an operator say of one endpoint, if it is configured. */
  judge(verdict: EndpointVerdict): void {
    const endpoint = this.#endpoints.find(({ address }) => address === verdict.address);
    if (endpoint === undefined) return;
    const isMended = endpoint.standing.state === "unhealthy" && verdict.health === "healthy";
    this.#change(endpoint, () => {
      endpoint.standing.verdict = verdict;
    });
    // What the traffic met was the same trouble.
    if (isMended) endpoint.traffic.pardon();
  }

  /** The endpoint of an address, as long as it is configured or in use. */
  find(address: string): Endpoint<Connection> | undefined {
    const isMeant = (endpoint: Endpoint<Connection>): boolean => endpoint.address === address;
    return this.#endpoints.find(isMeant) ?? this.#leaving.find(isMeant);
  }

  /** A session of an endpoint has ended: lost its upstream within `ageMs`, or in any other way. */
  sessionEnded(address: string, how: { readonly isLost: boolean; readonly ageMs: number }): void {
    const { ejection } = this.#settings.health ?? {};
    if (ejection === undefined || ejection.sessions === 0) return;
    const traffic = this.find(address)?.traffic;
    if (how.isLost && how.ageMs < ejection.sessionAgeMs) traffic?.failed("session");
    else traffic?.succeeded("session");
  }

  get isUnused(): boolean {
    return this.#endpoints.length === 0 && this.#leaving.every((endpoint) => endpoint.ownLoad === 0);
  }

  /**
   * Lends an endpoint; throws `upstream_empty` if there is none, and `upstream_full` if the limits leave none. Counts until it is disposed.
   * `retryPercent` of such an exchange may be tried again.
   */
  lease(what: "sessions" | "requests", retryPercent: number): Lease<Connection> {
    this.#retryBudget.earn(retryPercent);
    if (this.#offered.length === 0)
      throw new GatewayError("upstream_empty", `the upstream ${this.name} has no endpoint to offer`);
    const roomy = this.#withRoom(what, this.#offered);
    if (typeof roomy !== "string") return this.#lend(what, roomy);
    this.refusals[roomy]++;
    throw upstreamFull(this.name, roomy);
  }

  /** Lends one that is not in `tried`; undefined if there is none, or the budget for further tries is used up. */
  leaseOther(what: "sessions" | "requests", tried: ReadonlySet<Endpoint<Connection>>): Lease<Connection> | undefined {
    const untried = this.#offered.filter((endpoint) => !tried.has(endpoint));
    const roomy = untried.length === 0 ? untried : this.#withRoom(what, untried);
    if (typeof roomy === "string" || roomy.length === 0) return undefined;
    const isGranted = this.#retryBudget.take();
    this.retries[isGranted ? "tried" : "over_budget"]++;
    return isGranted ? this.#lend(what, roomy) : undefined;
  }

  /** Ends idle connections that are too old. `now` in milliseconds. */
  expire(now: number): void {
    for (const endpoint of this.#endpoints) endpoint.pool.expire(now);
    this.#leaving = this.#leaving.filter((endpoint) => endpoint.ownLoad > 0);
  }

  get status(): UpstreamStatus {
    const endpoints = [...this.#endpoints, ...this.#leaving].map((endpoint) => endpoint.status);
    return { name: this.name, balance: this.#settings.balance, isPanicking: this.#isPanicking, endpoints };
  }

  /** Chooses among these, of which there is at least one. */
  #lend(what: "sessions" | "requests", candidates: readonly Endpoint<Connection>[]): Lease<Connection> {
    const [only] = candidates;
    return new Lease(candidates.length === 1 && only !== undefined ? only : this.#balancer.pick(candidates), what);
  }

  /** Those of them that may get one more, or the limit that leaves none. */
  #withRoom(
    what: "sessions" | "requests",
    candidates: readonly Endpoint<Connection>[],
  ): readonly Endpoint<Connection>[] | CircuitLimit {
    const { limits, endpointLimits } = this.#settings;
    if (limits !== undefined) {
      const inTheWay = limitInTheWay(what, totalLoad([...this.#endpoints, ...this.#leaving]), limits);
      if (inTheWay !== undefined) return inTheWay;
    }
    if (endpointLimits === undefined) return candidates;
    let last: CircuitLimit = what;
    const roomy = candidates.filter((endpoint) => {
      const inTheWay = limitInTheWay(what, endpoint, endpointLimits);
      last = inTheWay ?? last;
      return inTheWay === undefined;
    });
    return roomy.length === 0 ? last : roomy;
  }

  #leave(endpoint: Endpoint<Connection>): void {
    this.#change(endpoint, () => {
      endpoint.standing.grounds = { isLeaving: true, hasWeight: endpoint.weight > 0 };
    });
    endpoint.pool.clear();
  }

  /** Tells of a change of state, and offers what may be offered after it. */
  #change(endpoint: Endpoint<Connection>, act: () => void): void {
    const { standing, address } = endpoint;
    const before = standing.state;
    act();
    const { state, why } = standing;
    if (state === before) return;
    this.#offer();
    const { isAskedFor } = standing;
    this.#parts.onChange?.({ upstream: this.name, address, before, state, why, isAskedFor, settings: this.#settings });
  }

  /** Usable endpoints, or all that stay if so few are usable that the checks themselves are to be doubted. */
  #offer(): void {
    const staying = this.#endpoints.filter(({ standing }) => !standing.isGoing);
    const usable = staying.filter(({ standing }) => standing.takesNew);
    const { panic } = this.#settings.health ?? { panic: 0 };
    const isPanicking = usable.length * 100 < staying.length * panic;
    this.#offered = isPanicking ? staying : usable;
    if (isPanicking === this.#isPanicking) return;
    this.#isPanicking = isPanicking;
    const event = isPanicking ? "upstream-panic" : "upstream-calm";
    this.#parts.onNotice?.({ event, upstream: this.name, usable: usable.length, of: staying.length });
  }

  #newEndpoint(wanted: EndpointSettings): Endpoint<Connection> {
    const address = formatAddress(wanted);
    const endpoint = new Endpoint<Connection>(wanted, this.#settings.pool, this.#ejectionOwner(address));
    const { memory } = this.#parts;
    if (memory !== undefined) endpoint.leases = new LeaseCounts(memory, { upstream: this.name, address });
    return endpoint;
  }

  #ejectionOwner(address: string): EjectionOwner | undefined {
    const { wheel, onNotice } = this.#parts;
    if (wheel === undefined) return undefined;
    const settings = (): UpstreamSettings => this.#settings;
    return {
      wheel,
      get ejection() {
        return settings().health?.ejection;
      },
      mayEject: () => this.#mayEject(),
      onEjected: (why, forMs) => {
        this.#setEjection(address, why);
        onNotice?.({ event: "endpoint-ejected", upstream: this.name, address, why, forMs });
      },
      onBack: () => {
        this.#setEjection(address, undefined);
        onNotice?.({ event: "endpoint-back", upstream: this.name, address });
      },
    };
  }

  #mayEject(): boolean {
    const out = this.#endpoints.filter(({ standing }) => standing.isEjected).length;
    return (out + 1) * 100 <= this.#endpoints.length * (this.#settings.health?.ejection?.most ?? 0);
  }

  /** An endpoint that is leaving may still be ejected, or come back, as long as it is used. */
  #setEjection(address: string, why: string | undefined): void {
    const endpoint = this.find(address);
    if (endpoint === undefined) return;
    this.#change(endpoint, () => {
      endpoint.standing.ejection = why;
    });
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
