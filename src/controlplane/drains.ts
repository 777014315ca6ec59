import type { Configuration } from "../core/configuration.ts";
import { type DrainOrder, type DrainScope, type DrainTerms, keyOfScope } from "../core/drain-order.ts";
import type { EndpointVerdict } from "../core/endpoint-state.ts";
import { formatDuration } from "../kit/duration.ts";
import type { EventLog } from "./event-log.ts";

/** What is drained: everything, a route, a listener, a route at a listener; or an upstream, an endpoint of it, or of all upstreams. */
export type DrainTarget = DrainScope & { readonly upstream?: string; readonly endpoint?: string };

/** A drain that somebody has asked for; of an endpoint that was drained alone, its beginning and terms are not known. */
export type AskedDrain = {
  readonly target: DrainTarget;
  /** Unix milliseconds. */
  readonly startedAt?: number;
  readonly plan?: DrainTerms;
};

/** What stands against a drain. */
export type DrainProblem = { readonly problem: string };

/** Whom drains concern, and who is told of them. */
export type DrainsOptions = {
  readonly log: EventLog;
  /** Has every worker told which drains are in force. */
  readonly onOrders: (orders: readonly DrainOrder[]) => void;
  readonly endpoints: {
    /** All that are configured or found. */
    entries(): readonly { readonly verdict: EndpointVerdict }[];
    drain(upstream: string, address: string, what: "undo" | DrainTerms): unknown;
  };
  /** The configuration in force. */
  readonly configuration: () => Configuration | undefined;
};

type Asked = Required<AskedDrain> & {
  /** The endpoints that were drained because of it, by upstream and address. */
  readonly seen: Set<string>;
};

/** The drains that operators have asked for. They are in force until they are taken back, or what they name is gone. */
export class Drains {
  readonly #options: DrainsOptions;
  #asked: readonly Asked[] = [];

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  get all(): readonly AskedDrain[] {
    const covered = new Set(this.#asked.flatMap(({ seen }) => [...seen]));
    const alone = this.#options.endpoints
      .entries()
      .flatMap(({ verdict }): AskedDrain[] =>
        verdict.isDraining && !covered.has(nameOf(verdict))
          ? [{ target: { upstream: verdict.upstream, endpoint: verdict.address } }]
          : [],
      );
    return [...this.#asked.map(({ target, startedAt, plan }) => ({ target, startedAt, plan })), ...alone];
  }

  /** True while everything is drained. */
  get areForAll(): boolean {
    return this.#find({}) !== undefined;
  }

  /** What workers have to do themselves; they hear of endpoints another way. */
  get orders(): readonly DrainOrder[] {
    return this.#asked.flatMap(({ target, startedAt, plan }) =>
      isOfEndpoints(target) ? [] : [{ scope: target, startedAt, plan }],
    );
  }

  /** What the workers of a control process before this one were told. */
  inherit(orders: readonly DrainOrder[]): void {
    this.#asked = orders.map(({ scope, startedAt, plan }) => ({ target: scope, startedAt, plan, seen: new Set() }));
  }

  /** Begins a drain, anew if there is one already; what is not said is as `drain` of the configuration has it. */
  begin(target: DrainTarget, terms: Partial<DrainTerms>): Required<AskedDrain> | DrainProblem {
    const configuration = this.#options.configuration();
    if (configuration === undefined) return { problem: "no configuration is in force yet" };
    const problem = this.#problemWith(target, configuration);
    if (problem !== undefined) return { problem };
    const { windowMs, code, reason } = configuration.settings.drain;
    const plan = { windowMs, code, reason, ...terms };
    // Workers tell a drain that begins anew by its time.
    const startedAt = Math.max(Date.now(), (this.#find(target)?.startedAt ?? 0) + 1);
    this.#undo(target);
    const asked = { target, startedAt, plan, seen: new Set<string>() };
    this.#asked = [...this.#others(target), asked];
    this.#drainNew(asked);
    this.#options.onOrders(this.orders);
    const says = `${inWords(target)} drains within ${formatDuration(plan.windowMs)}, as it was asked to`;
    this.#options.log.info("drain-begun", says, { ...target, ...plan });
    return { target, startedAt, plan };
  }

  /** What is left stays; false if nothing like that was drained. */
  cancel(target: DrainTarget): boolean {
    const others = this.#others(target);
    const isAsked = others.length < this.#asked.length;
    const isUndone = this.#undo(target);
    if (!isAsked && !isUndone) return false;
    this.#asked = others;
    this.#options.onOrders(this.orders);
    this.#options.log.info("drain-cancelled", `${inWords(target)} serves again, as it was asked to`, { ...target });
    return true;
  }

  /**
   * Forgets the drains of what is not there any more, or of endpoints that were taken back one by one. Endpoints that an upstream has got
   * since its drain began are drained as well.
   */
  tidy(): void {
    const configuration = this.#options.configuration();
    if (configuration === undefined) return;
    for (const asked of this.#asked) this.#drainNew(asked);
    const left = this.#asked.filter(
      ({ target }) => this.#problemWith(target, configuration) === undefined && this.#holds(target),
    );
    if (left.length === this.#asked.length) return;
    this.#asked = left;
    this.#options.onOrders(this.orders);
  }

  #drainNew({ target, plan, seen }: Asked): void {
    for (const verdict of this.#endpointsOf(target)) {
      if (seen.has(nameOf(verdict))) continue;
      seen.add(nameOf(verdict));
      this.#options.endpoints.drain(verdict.upstream, verdict.address, plan);
    }
  }

  #undo(target: DrainTarget): boolean {
    const draining = this.#endpointsOf(target).filter(({ isDraining }) => isDraining);
    for (const { upstream, address } of draining) this.#options.endpoints.drain(upstream, address, "undo");
    return draining.length > 0;
  }

  #holds(target: DrainTarget): boolean {
    return !isOfEndpoints(target) || this.#endpointsOf(target).some(({ isDraining }) => isDraining);
  }

  #find(target: DrainTarget): Asked | undefined {
    return this.#asked.find((asked) => keyOf(asked.target) === keyOf(target));
  }

  #others(target: DrainTarget): readonly Asked[] {
    return this.#asked.filter((asked) => keyOf(asked.target) !== keyOf(target));
  }

  #endpointsOf(target: DrainTarget): readonly EndpointVerdict[] {
    if (!isOfEndpoints(target)) return [];
    return this.#options.endpoints
      .entries()
      .map(({ verdict }) => verdict)
      .filter(({ upstream }) => target.upstream === undefined || upstream === target.upstream)
      .filter(({ address }) => target.endpoint === undefined || address === target.endpoint);
  }

  #problemWith(target: DrainTarget, { model }: Configuration): string | undefined {
    const { route, listener } = target;
    if (isOfEndpoints(target) && this.#endpointsOf(target).length === 0)
      return `there is no ${inWords(target)}, or it has no endpoints; see /api/upstreams`;
    if (route !== undefined && !model.routes.some(({ name }) => name === route))
      return `there is no route ${JSON.stringify(route)}; see /api/routes`;
    if (listener !== undefined && !model.listeners.some(({ name }) => name === listener))
      return `there is no listener ${JSON.stringify(listener)}; see /api/listeners`;
    return undefined;
  }
}

/** The target as an operator would say it. */
export function inWords({ route, listener, upstream, endpoint }: DrainTarget): string {
  if (endpoint !== undefined) return upstream === undefined ? `endpoint ${endpoint}` : `${endpoint} of ${upstream}`;
  if (upstream !== undefined) return `upstream ${upstream}`;
  if (route !== undefined) return listener === undefined ? `route ${route}` : `route ${route} at listener ${listener}`;
  return listener === undefined ? "the gateway" : `listener ${listener}`;
}

function keyOf(target: DrainTarget): string {
  return JSON.stringify([keyOfScope(target), target.upstream ?? null, target.endpoint ?? null]);
}

function nameOf({ upstream, address }: EndpointVerdict): string {
  return `${upstream} ${address}`;
}

function isOfEndpoints({ upstream, endpoint }: DrainTarget): boolean {
  return upstream !== undefined || endpoint !== undefined;
}
