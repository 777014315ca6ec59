import { isDeepStrictEqual } from "node:util";
import { type EndpointState, type EndpointVerdict, takesNew, type UpstreamNotice } from "../../core/endpoint-state.ts";
import { GatewayError } from "../../core/errors.ts";
import type { UpstreamStatus } from "../../core/figures.ts";
import { type EndpointSettings, formatAddress, type UpstreamSettings } from "../../core/snapshot.ts";
import type { SharedMemory } from "../../kit/shared-memory.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import { type CircuitLimit, type Full, findFull, nothingFull, upstreamFull } from "./circuit.ts";
import { CookieAffinity, type StickyCounts } from "./cookie-affinity.ts";
import { Endpoint } from "./endpoint.ts";
import type { Asker } from "./key-source.ts";
import { Lease } from "./lease.ts";
import { LeaseCounts } from "./lease-counts.ts";
import { Offer } from "./offer.ts";
import type { Pooled } from "./pool.ts";
import { RetryBudget } from "./retry-budget.ts";
import { SlowStart } from "./slow-start.ts";
import type { Standing } from "./standing.ts";
import { surplusOf } from "./surplus.ts";
import type { EjectionOwner } from "./traffic-health.ts";

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

/**
 * What an upstream needs of the gateway. Without a wheel nobody is ejected or starts slowly; without memory it counts for itself alone;
 * without a key there are no cookies.
 */
export type UpstreamParts = {
  readonly cookieKey?: string | undefined;
  readonly memory?: SharedMemory | undefined;
  readonly wheel?: TimerWheel;
  readonly onChange?: (change: EndpointChange) => void;
  readonly onNotice?: (notice: UpstreamNotice) => void;
};

/** A named service at run time. It survives snapshots, and with it its counts and its idle connections. */
export class Upstream<Connection extends Pooled> {
  readonly name: string;
  #settings: UpstreamSettings;
  #choice: Offer<Endpoint<Connection>>;
  #cookies: CookieAffinity<Endpoint<Connection>> | undefined;
  #cookieKey: string | undefined;
  readonly #slowStart: SlowStart | undefined;
  #endpoints: readonly Endpoint<Connection>[] = [];
  #isPanicking = false;
  /** No longer configured, but still in use. */
  #leaving: readonly Endpoint<Connection>[] = [];
  readonly #parts: UpstreamParts;
  /** Further tries, and those that the budget refused; and exchanges that a limit refused. */
  readonly retries = { tried: 0, over_budget: 0 };
  /** What became of sessions that had lost their upstream, on routes that resume them. */
  readonly resumptions = { resumed: 0, expired: 0, overflow: 0, mid_message: 0 };
  readonly refusals = { sessions: 0, requests: 0, connects: 0 };
  readonly #retryBudget: RetryBudget;
  /** Sessions closed because their endpoint had too many. */
  rebalanced = 0;

  constructor(settings: UpstreamSettings, parts: UpstreamParts = {}) {
    this.name = settings.name;
    this.#parts = parts;
    this.#retryBudget = new RetryBudget(() => parts.wheel?.clock() ?? 0);
    this.#settings = settings;
    this.#choice = new Offer(settings);
    this.#cookieKey = parts.cookieKey;
    this.#cookies = this.#createCookies(settings);
    this.#slowStart = parts.wheel && new SlowStart(parts.wheel, () => this.#choice.reweigh());
    this.update(settings);
  }

  /** Takes over new settings. Endpoints that stay keep their counts, and what is known of their health. */
  update(settings: UpstreamSettings): void {
    this.#takeOver(settings);
    const isFirst = this.#endpoints.length === 0;
    const before = new Map([...this.#endpoints, ...this.#leaving].map((endpoint) => [endpoint.address, endpoint]));
    this.#endpoints = settings.endpoints.map((wanted) => {
      const address = formatAddress(wanted);
      const known = before.get(address);
      before.delete(address);
      const endpoint = known ?? this.#newEndpoint(wanted);
      // Where all are new, none is to be spared.
      if (known === undefined && !isFirst) this.#slowStart?.begin(endpoint);
      return endpoint;
    });
    this.#leaving = [...before.values()];
    for (const [at, endpoint] of this.#endpoints.entries()) {
      const {
        weight,
        isSecure = false,
        isStandby = false,
        zone,
      } = settings.endpoints[at] as UpstreamSettings["endpoints"][number];
      const speaksHttp2 = settings.protocol === "h2";
      const isNew = endpoint.speaksHttp2 !== speaksHttp2 || endpoint.isSecure !== isSecure;
      if (isNew || endpoint.proxyProtocol !== settings.proxyProtocol) endpoint.renewPool(settings.pool);
      endpoint.speaksHttp2 = speaksHttp2;
      endpoint.shared.idleMs = settings.pool.idleMs;
      endpoint.isSecure = isSecure;
      endpoint.proxyProtocol = settings.proxyProtocol;
      endpoint.weight = weight;
      endpoint.isStandby = isStandby;
      endpoint.zone = zone;
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

  get rebalance(): UpstreamSettings["rebalance"] {
    return this.#settings.rebalance;
  }

  /** Endpoints that have too many sessions, and how many of those are this worker's; all have their fair part of closing them. */
  get surplus(): readonly { readonly address: string; readonly count: number }[] {
    const { rebalance } = this.#settings;
    if (rebalance === undefined) return [];
    const endpoints = this.#endpoints.filter(({ standing, isStandby }) => standing.takesNew && !isStandby);
    const surplus = surplusOf(endpoints, rebalance.tolerance);
    return endpoints.map(({ address, sessions, load }, at) => {
      return { address, count: Math.floor(((surplus[at] ?? 0) * sessions) / Math.max(1, load)) };
    });
  }

  get isUnused(): boolean {
    return this.#endpoints.length === 0 && this.#leaving.every((endpoint) => endpoint.ownLoad === 0);
  }

  /**
   * Lends an endpoint; throws `upstream_empty` if there is none, and `upstream_full` if the limits leave none. Counts until it is disposed.
   * `retryPercent` of such an exchange may be tried again. Without an asker nobody sticks to anything.
   */
  lease(what: "sessions" | "requests", retryPercent: number, asker?: Asker): Lease<Connection> {
    this.#retryBudget.earn(retryPercent);
    if (this.#choice.size === 0)
      throw new GatewayError("upstream_empty", `the upstream ${this.name} has no endpoint to offer`);
    const full = this.#findFull(what);
    if (typeof full === "string") throw this.#refuse(full);
    const own = asker && this.#cookies?.follow(asker);
    const endpoint = own !== undefined && !full.endpoints.has(own) ? own : this.#choice.pick(full.endpoints, asker);
    if (endpoint === undefined) throw this.#refuse(full.limit);
    return new Lease(endpoint, what);
  }

  /** Another key: what was signed with the old one counts as tampered. */
  set cookieKey(cookieKey: string | undefined) {
    this.#cookieKey = cookieKey;
    this.#cookies = this.#createCookies(this.#settings);
    this.#offer();
  }

  /** True if a client belongs to one of the endpoints by its cookie, and that is usable. */
  holds(asker: Asker): boolean {
    return this.#cookies?.find(asker) !== undefined;
  }

  /** The Set-Cookie by which a client finds this endpoint again; undefined if it needs none. */
  cookieFor(endpoint: Endpoint<Connection>, asker: Asker & { readonly isSecure: boolean }): string | undefined {
    return this.#cookies?.cookieFor(endpoint, asker);
  }

  /** What cookies came to; undefined if there are none. */
  get stickyCounts(): StickyCounts | undefined {
    return this.#cookies?.counts;
  }

  /** Exchanges without the key that their endpoint is to be chosen by; undefined if there is no such key. */
  get keyless(): number | undefined {
    return this.#choice.isKeyed ? this.#choice.keyless : undefined;
  }

  /** Counts a session that another process has lent an endpoint; undefined if it is not configured any more. */
  lendAgain(address: string): Lease<Connection> | undefined {
    const endpoint = this.find(address);
    return endpoint === undefined ? undefined : new Lease(endpoint, "sessions");
  }

  /** Lends one that is not in `tried`; undefined if there is none, or the budget for further tries is used up. */
  leaseOther(
    what: "sessions" | "requests",
    tried: ReadonlySet<Endpoint<Connection>>,
    asker?: Asker,
  ): Lease<Connection> | undefined {
    const full = this.#findFull(what);
    if (typeof full === "string") return undefined;
    const endpoint = this.#choice.pick(full.endpoints.size === 0 ? tried : full.endpoints.union(tried), asker);
    if (endpoint === undefined) return undefined;
    const isGranted = this.#retryBudget.take();
    this.retries[isGranted ? "tried" : "over_budget"]++;
    return isGranted ? new Lease(endpoint, what) : undefined;
  }

  /** Lends one for a session that has lost its own: another one if there is any; undefined if there is none now. */
  leaseAnother(lost: ReadonlySet<Endpoint<Connection>>, asker?: Asker): Lease<Connection> | undefined {
    const full = this.#findFull("sessions");
    if (typeof full === "string") return undefined;
    const { endpoints } = full;
    const endpoint = this.#choice.pick(endpoints.union(lost), asker) ?? this.#choice.pick(endpoints, asker);
    return endpoint && new Lease(endpoint, "sessions");
  }

  /** Ends idle connections that are too old. `now` in milliseconds. */
  expire(now: number): void {
    for (const endpoint of this.#endpoints) {
      endpoint.pool.expire(now);
      endpoint.shared.expire(now);
    }
    this.#leaving = this.#leaving.filter((endpoint) => endpoint.ownLoad > 0);
  }

  get status(): UpstreamStatus {
    const endpoints = [...this.#endpoints, ...this.#leaving].map((endpoint) => endpoint.status);
    const { balance } = this.#settings;
    const name = typeof balance === "string" ? balance : "hash";
    return { name: this.name, balance: name, isPanicking: this.#isPanicking, endpoints };
  }

  #takeOver(settings: UpstreamSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    if (!isDeepStrictEqual(choiceOf(before), choiceOf(settings))) {
      const { keyless } = this.#choice;
      this.#choice = new Offer(settings);
      this.#choice.keyless = keyless;
    }
    if (!isDeepStrictEqual(before.sticky, settings.sticky)) this.#cookies = this.#createCookies(settings);
    if (this.#slowStart !== undefined) this.#slowStart.settings = settings.slowStart;
  }

  #createCookies({ name, sticky }: UpstreamSettings): CookieAffinity<Endpoint<Connection>> | undefined {
    const key = this.#cookieKey;
    return sticky?.by === "cookie" && key !== undefined
      ? new CookieAffinity({ upstream: name, cookie: sticky.cookie, key, counts: this.#cookies?.counts })
      : undefined;
  }

  #refuse(limit: CircuitLimit): GatewayError {
    this.refusals[limit]++;
    return upstreamFull(this.name, limit);
  }

  #findFull(what: "sessions" | "requests"): Full<Endpoint<Connection>> | CircuitLimit {
    const { limits, endpointLimits } = this.#settings;
    if (limits === undefined && endpointLimits === undefined) return nothingFull;
    return findFull(what, { limits, endpointLimits, endpoints: this.#endpoints, leaving: this.#leaving });
  }

  #leave(endpoint: Endpoint<Connection>): void {
    this.#change(endpoint, () => {
      endpoint.standing.grounds = { isLeaving: true, hasWeight: endpoint.weight > 0 };
    });
    endpoint.pool.clear();
    endpoint.shared.clear();
  }

  /** Tells of a change of state, and offers what may be offered after it. */
  #change(endpoint: Endpoint<Connection>, act: () => void): void {
    const { standing, address } = endpoint;
    const before = standing.state;
    act();
    const { state, why } = standing;
    if (state === before) return;
    if (!takesNew(state)) this.#slowStart?.forget(endpoint);
    else if (!takesNew(before)) this.#slowStart?.begin(endpoint);
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
    const offered = isPanicking ? staying : usable;
    this.#choice.update(staying, isPanicking ? staying : unsuspected(usable));
    // Who has been there before is not sent elsewhere for a suspicion.
    if (this.#cookies !== undefined) this.#cookies.usable = offered;
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

/** What a choice is made by. */
function choiceOf({ balance, sticky, zones, standbyBelow }: UpstreamSettings): object {
  return { balance, sticky, zones, standbyBelow };
}

/** Those that nothing is suspected of; all of them if these are less than half, for then it may be the checks that are slow. */
function unsuspected<E extends { readonly standing: Standing }>(usable: readonly E[]): readonly E[] {
  const trusted = usable.filter(({ standing }) => standing.state !== "suspected");
  return trusted.length * 2 < usable.length ? usable : trusted;
}
