import type { AccessRecord } from "../core/access-record.ts";
import type { DrainOrder } from "../core/drain-order.ts";
import type { EndpointVerdict, UpstreamNotice } from "../core/endpoint-state.ts";
import type { Incoming, Next, OpenExchange } from "../core/exchange.ts";
import type { ListenerStatus, MetricFamily } from "../core/figures.ts";
import type { ListenerState } from "../core/handover.ts";
import type { Issue } from "../core/issue.ts";
import type { ListenerSettings, RouteSettings, Snapshot, UpstreamSettings } from "../core/snapshot.ts";
import type { DrainPlan, WorkerStatus } from "../core/worker-protocol.ts";
import type { SharedMemory } from "../kit/shared-memory.ts";
import { Timer, TimerWheel } from "../kit/timer-wheel.ts";
import { Admission } from "./admission.ts";
import { buildDials, buildTables, type CertificateTables, type SecureDials } from "./certificate-tables.ts";
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
import { Listener, type ListenerFacts } from "./listener.ts";
import { ListenerCountsByName } from "./listener-counts.ts";
import { listenerWay } from "./listener-ways.ts";
import type { CertificateTable } from "./net/certificate-table.ts";
import { Descriptors } from "./net/descriptors.ts";
import { Rebalancing } from "./rebalancing.ts";
import type { Session } from "./relay/session.ts";
import { addressOf } from "./request-identity.ts";
import { RouteTable } from "./routing/route-table.ts";
import { SessionRegistry } from "./session-registry.ts";
import { Takeover } from "./takeover.ts";
import { UpstreamSet } from "./upstream-set.ts";

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
  readonly tables: CertificateTables;
  readonly dials: SecureDials;
  readonly fresh: ReadonlyMap<string, Listener>;
  readonly terms: ApplyTerms;
};

/** A port that another process has bound. */
export type InheritedListener = { readonly state: ListenerState; readonly descriptor: number };

const defaultTerms: ApplyTerms = { drain: { windowMs: 30_000, code: 1012, reason: "" } };
/** How often idle upstream connections are looked through, and a drain looks whether it is over (ms). */
const housekeepingMs = 5000;
const drainLookMs = 50;

/** The data plane: it makes itself equal to the snapshot it is given, and keeps its sessions whatever comes. */
export class Gateway implements AsyncDisposable {
  readonly sessions = new SessionRegistry();
  readonly #wheel: TimerWheel;
  readonly #figures = new Figures();
  readonly #limits: RouteLimits;
  readonly #listenerCounts: ListenerCountsByName;
  readonly #descriptors: Descriptors;
  readonly #upstreams: UpstreamSet;
  readonly #desk: ExchangeDesk;
  readonly #listeners = new Map<string, Listener>();
  readonly #endpointDrains: EndpointDrains;
  readonly #drainOrders: DrainOrders;
  readonly #changeDrains: ChangeDrains;
  readonly #rebalancing: Rebalancing;
  readonly #housekeeping: Timer;
  #tables: CertificateTables = new Map();
  #inherited: readonly InheritedListener[] = [];
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
    this.#listenerCounts = new ListenerCountsByName(options.memory);
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
    return [...this.#listeners.values()].map((listener) => listener.status);
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
      return { issues: [problem("routes", error)] };
    }
    const tables = buildTables(snapshot, this.#tables);
    if ("issue" in tables) return { issues: [tables.issue] };
    const dials = buildDials(snapshot, this.#upstreams.secure);
    if ("issue" in dials) return { issues: [dials.issue] };
    const opened = this.#openListeners(snapshot.listeners, tables);
    if ("issue" in opened) return { issues: [opened.issue] };
    const { fresh } = opened;
    return {
      revision: snapshot.revision,
      listeners: snapshot.listeners.flatMap(({ name }) => (fresh.get(name) ?? this.#listeners.get(name))?.status ?? []),
      commit: (terms = defaultTerms) => this.#commit({ snapshot, compiled, tables, dials, fresh, terms }),
      abandon: () => {
        for (const listener of fresh.values()) listener.close();
      },
    };
  }

  #commit({ snapshot, compiled, tables, dials, fresh, terms }: Change): void {
    const before = { routes: this.#compiled.routes, listeners: [...this.#listeners.keys()] };
    this.#compiled = compiled;
    this.#tables = tables;
    this.#takeOver(snapshot.listeners, fresh);
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
    for (const listener of this.#listeners.values()) listener.retire();
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
      connections: this.listeners.reduce((sum, listener) => sum + listener.connections, 0),
      sessionsByRevision: this.sessions.countBy((session) => session.identity.revision),
      sessionsByRoute: this.sessions.countBy((session) => session.identity.route),
      listeners: this.listeners,
      upstreams: this.#upstreams.status,
      verdicts: this.#upstreams.verdicts,
      drains: this.#drainOrders.all,
    };
  }

  metrics(): MetricFamily[] {
    const listeners = [...this.#listeners.values()];
    const pending = listeners.reduce((sum, listener) => sum + listener.pending, 0);
    const connections = this.listeners.map(({ name, connections }) => ({
      labels: { listener: name },
      value: connections,
    }));
    return [
      ...this.sessions.families(),
      ...this.#figures.families(),
      ...this.#upstreams.families(),
      gauge("causeway_connections_open", "Open client connections, sessions included.", connections),
      gauge("causeway_pending", "Connections without a complete head, and handshakes without an answer.", [
        { labels: {}, value: pending },
      ]),
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
    const tables = buildTables(snapshot, this.#tables);
    if ("issue" in tables) return [tables.issue];
    this.#inherited = inherited;
    const opened = this.#openListeners(snapshot.listeners, tables);
    this.#inherited = [];
    if ("issue" in opened) return [opened.issue];
    this.#tables = tables;
    this.#takeOver(snapshot.listeners, opened.fresh);
    this.#retireDrained();
    const { routes } = this.#compiled;
    const listeners = snapshot.listeners.map(({ name }) => name);
    const [before, after] = [
      { routes, listeners: [] },
      { routes, listeners },
    ];
    this.#changeDrains.apply({ revision: snapshot.revision, before, after, terms: terms.drain });
    return [];
  }

  /** What is said of endpoints. */
  get verdicts(): readonly EndpointVerdict[] {
    return this.#upstreams.verdicts;
  }

  /** What another process can take over of all this. */
  depart(): Departure {
    return new Departure({ sessions: this.sessions, listeners: this.#listeners });
  }

  /** Takes over what another process had. */
  takeOver(): Takeover {
    return new Takeover({
      descriptors: this.#descriptors,
      wheel: this.#wheel,
      observer: this.#desk,
      onFault: (error) => this.#desk.onFault(error),
      listener: (name) => this.#listeners.get(name),
      onSession: (session, scope) => this.#goOn(session, scope),
    });
  }

  /** Another process accepts in its place; what is open goes on, for as long as it cannot go there too. */
  stopAccepting(): void {
    for (const listener of this.#listeners.values()) {
      listener.stopAccepting();
      listener.retireFixed();
    }
  }

  /** What could not go to another process, or not yet. */
  get remains(): { readonly sessions: number; readonly exchanges: number; readonly connections: number } {
    const { running: exchanges } = this.#desk;
    const connections = this.listeners.reduce((sum, listener) => sum + listener.connections, 0);
    return { sessions: this.sessions.size, exchanges, connections };
  }

  /** A session that was another process's is counted here as it was there. */
  #goOn(session: Session, scope: DisposableStack): void {
    const { identity } = session;
    const lease = this.#upstreams.lendAgain(identity);
    if (lease !== undefined) scope.use(lease);
    const route = this.#compiled.routes.find(({ name }) => name === identity.route);
    const limits = route?.filters.filter(({ type }) => type === "limit").length ?? 0;
    const address = addressOf(identity.client);
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
    for (const listener of this.#listeners.values()) listener.close();
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

  #openListeners(
    wanted: readonly ListenerSettings[],
    tables: CertificateTables,
  ): { fresh: Map<string, Listener> } | { issue: Issue } {
    const fresh = new Map<string, Listener>();
    for (const settings of wanted) {
      if (this.#listeners.get(settings.name)?.canTakeOver(settings) === true) continue;
      try {
        fresh.set(settings.name, this.#open(settings, tables.get(settings.name)));
      } catch (error) {
        for (const listener of fresh.values()) listener.close();
        return { issue: problem(`listeners.${settings.name}.address`, error) };
      }
    }
    return { fresh };
  }

  #open(settings: ListenerSettings, certificates: CertificateTable | undefined): Listener {
    const begin = (incoming: Incoming, facts: ListenerFacts): OpenExchange => this.#begin(incoming, facts);
    const observer = this.#desk.listenerObserver(begin);
    const inherited = this.#inherited.find(({ state: { name, host, port } }) => {
      return name === settings.name && host === settings.host && (port === settings.port || settings.port === 0);
    });
    return Listener.open({
      settings: inherited === undefined ? settings : { ...settings, port: inherited.state.port },
      certificates,
      wheel: this.#wheel,
      descriptors: this.#descriptors,
      observer,
      descriptor: inherited?.descriptor,
      counts: this.#listenerCounts.of(settings.name),
    });
  }

  #takeOver(wanted: readonly ListenerSettings[], fresh: ReadonlyMap<string, Listener>): void {
    const names = new Set(wanted.map((settings) => settings.name));
    for (const [name, listener] of this.#listeners) {
      if (names.has(name) && !fresh.has(name)) continue;
      listener.close();
      this.#listeners.delete(name);
    }
    for (const settings of wanted)
      this.#listeners.get(settings.name)?.update(settings, this.#tables.get(settings.name));
    for (const [name, listener] of fresh) this.#listeners.set(name, listener);
  }

  #retireDrained(): void {
    // The end of all is not taken back.
    if (this.#desk.drain !== undefined) return;
    for (const [name, listener] of this.#listeners) {
      if (this.#drainOrders.concernListener(name)) listener.retire();
      else listener.unretire();
    }
  }

  #begin(incoming: Incoming, listener: ListenerFacts): OpenExchange {
    const { table, revision } = this.#compiled;
    const route = table.match(incoming.head, incoming.kind) ?? refuseUnrouted;
    const way = listenerWay(route.way, incoming, listener);
    return this.#desk.begin({ incoming, listener, revision, route: route.settings, way });
  }

  #keepHouse(): void {
    this.#upstreams.expire(this.#wheel.now);
    this.#rebalancing.step(this.#upstreams, housekeepingMs);
    this.#wheel.arm(this.#housekeeping, housekeepingMs);
  }
}

/** Something that only shows when it is tried: a port that is taken, say. */
function problem(path: string, error: unknown): Issue {
  const says = error instanceof Error ? error.message : String(error);
  const instead = path.endsWith(".address") ? { try: "choose another address or port" } : {};
  return { severity: "error", at: { source: "configuration", path }, says, ...instead };
}
