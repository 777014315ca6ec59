import type { AccessRecord } from "../core/access-record.ts";
import type { AcmeChallenge } from "../core/acme-challenge.ts";
import type { DrainOrder } from "../core/drain-order.ts";
import type { EndpointVerdict, UpstreamNotice } from "../core/endpoint-state.ts";
import type { Incoming, Next, OpenExchange } from "../core/exchange.ts";
import type { ListenerStatus, MetricFamily } from "../core/figures.ts";
import type { Issue } from "../core/issue.ts";
import { countedAddress } from "../core/peer-text.ts";
import type { RouteSettings, Snapshot, UpstreamSettings } from "../core/snapshot.ts";
import type { DrainPlan, WorkerStatus } from "../core/worker-protocol.ts";
import { Calm, calmLookMs } from "../kit/calm.ts";
import type { Scope } from "../kit/scope.ts";
import type { SharedMemory } from "../kit/shared-memory.ts";
import { Timer, TimerWheel } from "../kit/timer-wheel.ts";
import { AcmeChallenges } from "./acme-challenges.ts";
import { Admission } from "./admission.ts";
import { buildDials, type SecureDials } from "./certificate-tables.ts";
import { ChangeDrains } from "./change-drains.ts";
import { type CompiledRoutes, refuseUnrouted } from "./compiled-routes.ts";
import { Departure } from "./departure.ts";
import { Drain } from "./drain.ts";
import { DrainOrders } from "./drain-orders.ts";
import { EndpointDrains } from "./endpoint-drains.ts";
import { ExchangeDesk } from "./exchange-desk.ts";
import { Figures, gauge } from "./figures.ts";
import { compose, createRouteFilters } from "./filters/catalogue.ts";
import { RouteLimits } from "./filters/route-limits.ts";
import { createForward } from "./forward/forward.ts";
import type { ListenerFacts } from "./listener.ts";
import { type InheritedListener, ListenerSet, type PreparedListeners } from "./listener-set.ts";
import { listenerWay } from "./listener-ways.ts";
import { Descriptors } from "./net/descriptors.ts";
import { Rebalancing } from "./rebalancing.ts";
import { refusal } from "./refusal.ts";
import type { Session } from "./relay/session.ts";
import { RouteTable } from "./routing/route-table.ts";
import { serverWay } from "./server-way.ts";
import { SessionRegistry } from "./session-registry.ts";
import { Takeover } from "./takeover.ts";
import { UpstreamSet } from "./upstream-set.ts";

/** What a gateway shares with others, and who hears of what it does. */
export type GatewayOptions = {
  /** Gets one record for every exchange, and two for every session. Should it throw, only the record is lost. */
  readonly onRecord?: (record: AccessRecord) => void;
  /** Hears of what must not happen, and cost one connection or session only. */
  readonly onFault?: (error: unknown) => void;
  /** Hears of what the gateway finds out about upstreams. */
  readonly onNotice?: (notice: UpstreamNotice) => void;
  /** Whose timers, and clock, are used; one of its own by default. */
  readonly wheel?: TimerWheel;
  readonly descriptors?: Descriptors;
  /** What workers share, so that they count together; without it this gateway counts for itself alone. */
  readonly memory?: SharedMemory;
};

/** How sessions that a snapshot takes the ground from are ended. */
export type ApplyTerms = { readonly drain: Pick<DrainPlan, "windowMs" | "code" | "reason"> };

/** How a drain has ended: sessions that got their Close in time, and those that were cut. */
export type DrainResult = { readonly closed: number; readonly destroyed: number };

/** A snapshot that nothing stands against any more. */
export type PreparedSnapshot = {
  readonly revision: number;
  /** As they will be, with the ports that are bound. */
  readonly listeners: readonly ListenerStatus[];
  /** Puts it into force. */
  readonly commit: (terms?: ApplyTerms) => void;
  /** Lets it go; what was in force stays. */
  readonly abandon: () => void;
};

type Change = {
  readonly snapshot: Snapshot;
  readonly compiled: CompiledRoutes;
  readonly dials: SecureDials;
  readonly listeners: PreparedListeners;
  readonly terms: ApplyTerms;
};

const defaultTerms: ApplyTerms = { drain: { windowMs: 30_000, code: 1012, reason: "" } };
/** How often idle upstream connections are looked through and memory is given back, and a drain looks whether it is over (ms). */
const housekeepingMs = calmLookMs;
const drainLookMs = 50;

/** The data plane: it makes itself equal to the snapshot it is given, and keeps its sessions whatever comes. */
export class Gateway implements AsyncDisposable {
  readonly sessions = new SessionRegistry();
  readonly #wheel: TimerWheel;
  readonly #figures = new Figures();
  readonly #limits: RouteLimits;
  readonly #descriptors: Descriptors;
  readonly #upstreams: UpstreamSet;
  readonly #desk: ExchangeDesk;
  readonly #listeners: ListenerSet;
  readonly #endpointDrains: EndpointDrains;
  readonly #drainOrders: DrainOrders;
  readonly #changeDrains: ChangeDrains;
  readonly #challenges = new AcmeChallenges();
  readonly #rebalancing: Rebalancing;
  readonly #housekeeping: Timer;
  readonly #calm = new Calm();
  #compiled: CompiledRoutes = { revision: 0, routes: [], table: RouteTable.compile([]) };

  constructor(options: GatewayOptions = {}) {
    const { onFault } = options;
    this.#wheel = (options.wheel ?? new TimerWheel(onFault === undefined ? {} : { onError: onFault })).start();
    this.#descriptors = options.descriptors ?? Descriptors.ofProcess();
    this.#endpointDrains = new EndpointDrains({ sessions: this.sessions, wheel: this.#wheel });
    this.#drainOrders = new DrainOrders({ sessions: this.sessions, wheel: this.#wheel });
    this.#changeDrains = new ChangeDrains({ sessions: this.sessions, wheel: this.#wheel });
    this.#desk = new ExchangeDesk({
      wheel: this.#wheel,
      sessions: this.sessions,
      figures: this.#figures,
      drains: this.#drainOrders,
      admission: new Admission(options.memory),
      ...(options.onRecord === undefined ? {} : { onRecord: options.onRecord }),
      ...(onFault === undefined ? {} : { onFault }),
      onSessionOpen: (session) => {
        this.#endpointDrains.add(session);
        this.#changeDrains.add(session);
      },
      onSessionEnd: (session, end, ageMs) =>
        this.#upstreams.sessionEnded(session.identity, { isLost: end.reason === "upstream_lost", ageMs }),
    });
    this.#limits = new RouteLimits(options.memory);
    this.#listeners = new ListenerSet({
      wheel: this.#wheel,
      descriptors: this.#descriptors,
      memory: options.memory,
      challenges: this.#challenges,
      observer: this.#desk.listenerObserver((incoming, facts) => this.#begin(incoming, facts)),
    });
    this.#upstreams = new UpstreamSet({
      wheel: this.#wheel,
      memory: options.memory,
      descriptors: this.#descriptors,
      onFault: (error) => this.#desk.onFault(error),
      onChange: (change) => this.#endpointDrains.onChange(change),
      onNotice: (notice) => options.onNotice?.(notice),
    });
    this.#rebalancing = new Rebalancing({ sessions: this.sessions, wheel: this.#wheel });
    this.#housekeeping = new Timer(() => this.#keepHouse());
    this.#wheel.arm(this.#housekeeping, housekeepingMs);
  }

  /** False spares the making of access records. */
  set wantsRecords(wanted: boolean) {
    this.#desk.wantsRecords = wanted;
  }

  get revision(): number {
    return this.#compiled.revision;
  }

  get listeners(): ListenerStatus[] {
    return this.#listeners.status;
  }

  /**
   * Puts a snapshot into force, whole or not at all: the result holds what stands against it, and is empty when all is well. Open
   * sessions stay, except those of routes and endpoints that are gone, or of routes whose `onChange` says otherwise.
   */
  apply(snapshot: Snapshot, terms: ApplyTerms = defaultTerms): readonly Issue[] {
    const prepared = this.prepare(snapshot);
    if ("issues" in prepared) return prepared.issues;
    prepared.commit(terms);
    return [];
  }

  /**
   * Does of a change what can fail: compiles the routes and binds new addresses, and leaves in force what is. Either `commit` or `abandon`
   * must follow before anything else is prepared or applied.
   */
  prepare(snapshot: Snapshot): PreparedSnapshot | { readonly issues: readonly Issue[] } {
    let compiled: CompiledRoutes;
    try {
      compiled = this.#compile(snapshot);
    } catch (error) {
      return { issues: [refusal("routes", error)] };
    }
    const dials = buildDials(snapshot, this.#upstreams.secure);
    if ("issue" in dials) return { issues: [dials.issue] };
    const listeners = this.#listeners.prepare(snapshot);
    if ("issue" in listeners) return { issues: [listeners.issue] };
    return {
      revision: snapshot.revision,
      listeners: listeners.status,
      commit: (terms = defaultTerms) => this.#commit({ snapshot, compiled, dials, listeners, terms }),
      abandon: () => this.#listeners.abandon(listeners),
    };
  }

  #commit({ snapshot, compiled, dials, listeners, terms }: Change): void {
    const before = { routes: this.#compiled.routes, listeners: this.#listeners.names };
    this.#compiled = compiled;
    this.#listeners.commit(snapshot.listeners, listeners);
    this.#retireDrained();
    this.#endpointDrains.terms = terms.drain;
    this.#rebalancing.terms = terms.drain;
    this.#upstreams.cookieKey = snapshot.cookieKey;
    this.#upstreams.update(snapshot.upstreams, dials);
    const after = { routes: snapshot.routes, listeners: snapshot.listeners.map(({ name }) => name) };
    this.#changeDrains.apply({ revision: snapshot.revision, before, after, terms: terms.drain });
    this.#limits.retain(new Set(snapshot.routes.map((route) => route.name)));
  }

  /** Takes over the endpoints of upstreams that are configured; all others stay as they are. */
  refresh(upstreams: readonly UpstreamSettings[]): void {
    this.#upstreams.refresh(upstreams);
  }

  /** Takes over what the control process says of endpoints, whether they are configured yet or not: what is new, or all there is. */
  judge(verdicts: readonly EndpointVerdict[], what: "new" | "all" = "new"): void {
    if (what === "all") this.#upstreams.forgetAllBut(verdicts);
    this.#endpointDrains.hear(verdicts);
    this.#upstreams.judge(verdicts);
  }

  /** These drains are in force from now on, and no others. Without them everything serves on, also what is drained already. */
  useDrains(orders: readonly DrainOrder[]): void {
    this.#drainOrders.use(orders);
    this.#retireDrained();
  }

  /** What every listener shows from now on to ACME authorities, and nothing else. */
  useChallenges(challenges: readonly AcmeChallenge[]): void {
    this.#challenges.use(challenges);
  }

  /**
   * Ends everything: new handshakes are refused, every session gets a Close at a random moment of the window, and what is left after
   * `graceMs` is cut. Resolves when nothing is open any more.
   */
  drain(plan: DrainPlan): Promise<DrainResult> {
    const { promise, resolve } = Promise.withResolvers<DrainResult>();
    this.useDrains([]);
    this.#desk.drain = new Drain({ plan, why: "drain", wheel: this.#wheel });
    const openedBefore = this.sessions.opened - this.sessions.size;
    for (const session of this.sessions) this.#desk.drain.add(session);
    this.#listeners.retireWhere(() => true);
    const until = this.#wheel.clock() + plan.graceMs;
    const look = new Timer(() => {
      const isOver = this.sessions.size === 0 && this.#desk.running === 0;
      if (!isOver && this.#wheel.clock() < until) return this.#wheel.arm(look, drainLookMs);
      const destroyed = this.sessions.size;
      for (const session of [...this.sessions]) session.cut();
      resolve({ closed: this.sessions.opened - openedBefore - destroyed, destroyed });
    });
    this.#wheel.arm(look, drainLookMs);
    return promise;
  }

  status(): Omit<WorkerStatus, "residentMemory"> {
    return {
      revision: this.revision,
      state: this.#desk.drain === undefined && !this.#drainOrders.areForAll ? "serving" : "draining",
      sessions: this.sessions.size,
      connections: this.#listeners.connections,
      sessionsByRevision: this.sessions.countBy((session) => session.identity.revision),
      sessionsByRoute: this.sessions.countBy((session) => session.identity.route),
      listeners: this.listeners,
      upstreams: this.#upstreams.status,
      verdicts: this.#upstreams.verdicts,
      drains: this.#drainOrders.all,
    };
  }

  metrics(): MetricFamily[] {
    return [
      ...this.sessions.families(),
      ...this.#figures.families(),
      ...this.#upstreams.families(),
      ...this.#listeners.families(),
      gauge("causeway_exchanges_running", "Requests and handshakes that are being answered.", [
        { labels: {}, value: this.#desk.running },
      ]),
      gauge("causeway_timers_armed", "Timers that are waiting.", [{ labels: {}, value: this.#wheel.armed }]),
      gauge("causeway_sockets_open", "Sockets counted against the limit of open files.", [
        { labels: {}, value: this.#descriptors.open },
      ]),
      gauge("causeway_sockets_limit", "The limit of open files.", [{ labels: {}, value: this.#descriptors.limit }]),
    ];
  }

  /** Accepts on ports that another process has bound; the result holds what stands against it. */
  inherit(snapshot: Snapshot, inherited: readonly InheritedListener[], terms = defaultTerms): readonly Issue[] {
    const listeners = this.#listeners.prepare(snapshot, inherited);
    if ("issue" in listeners) return [listeners.issue];
    this.#listeners.commit(snapshot.listeners, listeners);
    this.#retireDrained();
    const { routes } = this.#compiled;
    const before = { routes, listeners: [] };
    const after = { routes, listeners: this.#listeners.names };
    this.#changeDrains.apply({ revision: snapshot.revision, before, after, terms: terms.drain });
    return [];
  }

  /** What is said of endpoints. */
  get verdicts(): readonly EndpointVerdict[] {
    return this.#upstreams.verdicts;
  }

  /** What another process can take over of all this. */
  depart(): Departure {
    return new Departure({ sessions: this.sessions, listeners: this.#listeners.byName });
  }

  /** Takes over what another process had. */
  takeOver(): Takeover {
    return new Takeover({
      descriptors: this.#descriptors,
      wheel: this.#wheel,
      observer: this.#desk,
      onFault: (error) => this.#desk.onFault(error),
      listener: (name) => this.#listeners.byName.get(name),
      onSession: (session, scope) => this.#goOn(session, scope),
    });
  }

  /** Another process accepts in its place; what is open goes on, for as long as it cannot go there too. */
  stopAccepting(): void {
    this.#listeners.stopAccepting();
  }

  /** What could not go to another process, or not yet. */
  get remains(): { readonly sessions: number; readonly exchanges: number; readonly connections: number } {
    return { sessions: this.sessions.size, exchanges: this.#desk.running, connections: this.#listeners.connections };
  }

  /** A session that was another process's is counted here as it was there. */
  #goOn(session: Session, scope: Scope): void {
    const { identity } = session;
    const lease = this.#upstreams.lendAgain(identity);
    if (lease !== undefined) scope.use(lease);
    const route = this.#compiled.routes.find(({ name }) => name === identity.route);
    const limits = route?.filters.filter(({ type }) => type === "limit").length ?? 0;
    const address = countedAddress(identity.client);
    for (let ordinal = 0; ordinal < limits; ordinal++) {
      const counts = this.#limits.of(identity.route, ordinal);
      // It was let in already: no limit stands against it any more.
      counts.addSession(address, {});
      scope.defer(() => counts.removeSession(address));
    }
    this.sessions.adopt(session);
    this.#desk.adopt(session);
  }

  /** Closes everything at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.close();
    for (const session of [...this.sessions]) session.cut();
    this.#upstreams.update([]);
    this.#wheel[Symbol.dispose]();
  }

  #compile(snapshot: Snapshot): CompiledRoutes {
    const entries = snapshot.routes.map((settings) => ({
      settings,
      value: { settings, way: this.#compileWay(settings) },
    }));
    return { revision: snapshot.revision, routes: snapshot.routes, table: RouteTable.compile(entries) };
  }

  #compileWay(route: RouteSettings): Next {
    const filters = createRouteFilters({ route, clock: () => this.#wheel.clock(), limits: this.#limits });
    return compose(filters, createForward(route, this.#upstreams.forwardParts));
  }

  #retireDrained(): void {
    // The end of all is not taken back.
    if (this.#desk.drain !== undefined) return;
    this.#listeners.retireWhere((name) => this.#drainOrders.concernListener(name));
  }

  #begin(incoming: Incoming, listener: ListenerFacts): OpenExchange {
    const { table, revision } = this.#compiled;
    const answer = this.#challenges.wayOf(incoming) ?? serverWay(incoming);
    if (answer !== undefined) {
      const { settings } = refuseUnrouted;
      return this.#desk.begin({ incoming, listener, revision, route: settings, way: answer });
    }
    const route = table.match(incoming.head, incoming.kind) ?? refuseUnrouted;
    const way = listenerWay(route.way, incoming, listener);
    return this.#desk.begin({ incoming, listener, revision, route: route.settings, way });
  }

  #keepHouse(): void {
    this.#upstreams.expire(this.#wheel.now);
    this.#calm.look(this.#descriptors.changes);
    this.#rebalancing.step(this.#upstreams, housekeepingMs);
    this.#wheel.arm(this.#housekeeping, housekeepingMs);
  }
}
