import type { Configuration } from "../core/configuration.ts";
import { type DrainOrder, type DrainScope, type DrainTerms, keyOfScope } from "../core/drain-order.ts";
import type { EndpointVerdict } from "../core/endpoint-state.ts";
import { formatAddress } from "../core/snapshot.ts";
import { formatDuration } from "../kit/duration.ts";
import type { EventLog } from "./event-log.ts";

/** What is drained: everything, a route, a listener, a route at a listener; or an upstream, an endpoint of it, or of all upstreams. */
export type DrainTarget = DrainScope & { readonly upstream?: string; readonly endpoint?: string };

/** A drain that somebody has asked for. */
export type AskedDrain = {
  readonly target: DrainTarget;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly plan: DrainTerms;
};

/** What stands against a drain. */
export type DrainProblem = { readonly problem: string };

export type DrainsOptions = {
  readonly log: EventLog;
  /** Has every worker told which drains are in force. */
  readonly onOrders: (orders: readonly DrainOrder[]) => void;
  readonly endpoints: {
    find(upstream: string, address: string): { readonly verdict: EndpointVerdict } | undefined;
    drain(upstream: string, address: string, what: "undo" | DrainTerms): unknown;
  };
  /** The configuration in force. */
  readonly configuration: () => Configuration | undefined;
};

/** The drains that operators have asked for. They are in force until they are taken back, or what they name is gone. */
export class Drains {
  readonly #options: DrainsOptions;
  #all: readonly AskedDrain[] = [];

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  get all(): readonly AskedDrain[] {
    return this.#all;
  }

  /** True while everything is drained. */
  get areForAll(): boolean {
    return this.find({}) !== undefined;
  }

  find(target: DrainTarget): AskedDrain | undefined {
    return this.#all.find((asked) => keyOf(asked.target) === keyOf(target));
  }

  /** What workers have to do themselves; they hear of endpoints another way. */
  get orders(): readonly DrainOrder[] {
    return this.#all.flatMap(({ target, startedAt, plan }) =>
      isOfEndpoints(target) ? [] : [{ scope: target, startedAt, plan }],
    );
  }

  /** Begins a drain, anew if there is one already; what is not said is as `drain` of the configuration has it. */
  begin(target: DrainTarget, terms: Partial<DrainTerms>): AskedDrain | DrainProblem {
    const configuration = this.#options.configuration();
    if (configuration === undefined) return { problem: "no configuration is in force yet" };
    const problem = problemWith(target, configuration);
    if (problem !== undefined) return { problem };
    const { windowMs, code, reason } = configuration.settings.drain;
    const plan = { windowMs, code, reason, ...terms };
    const asked = { target, startedAt: this.#now(target), plan };
    this.#all = [...this.#others(target), asked];
    for (const { upstream, address } of endpointsOf(target, configuration)) {
      this.#options.endpoints.drain(upstream, address, "undo");
      this.#options.endpoints.drain(upstream, address, plan);
    }
    this.#options.onOrders(this.orders);
    const says = `${inWords(target)} drains within ${formatDuration(plan.windowMs)}, as it was asked to`;
    this.#options.log.info("drain-begun", says, { ...target, ...plan });
    return asked;
  }

  /** What is left stays; false if there was no such drain. */
  cancel(target: DrainTarget): boolean {
    const others = this.#others(target);
    if (others.length === this.#all.length) return false;
    this.#all = others;
    for (const { upstream, address } of endpointsOf(target, this.#options.configuration()))
      this.#options.endpoints.drain(upstream, address, "undo");
    this.#options.onOrders(this.orders);
    this.#options.log.info("drain-cancelled", `${inWords(target)} serves again, as it was asked to`, { ...target });
    return true;
  }

  /** Forgets the drains of what the configuration in force does not have any more, or of endpoints that are taken back one by one. */
  tidy(): void {
    const configuration = this.#options.configuration();
    if (configuration === undefined) return;
    const left = this.#all.filter(
      ({ target }) => problemWith(target, configuration) === undefined && this.#holds(target),
    );
    if (left.length === this.#all.length) return;
    this.#all = left;
    this.#options.onOrders(this.orders);
  }

  #holds(target: DrainTarget): boolean {
    if (!isOfEndpoints(target)) return true;
    const { configuration, endpoints } = this.#options;
    return endpointsOf(target, configuration()).some(
      ({ upstream, address }) => endpoints.find(upstream, address)?.verdict.isDraining === true,
    );
  }

  #others(target: DrainTarget): readonly AskedDrain[] {
    return this.#all.filter((asked) => keyOf(asked.target) !== keyOf(target));
  }

  /** Workers tell a drain that began anew by its time. */
  #now(target: DrainTarget): number {
    return Math.max(Date.now(), (this.find(target)?.startedAt ?? 0) + 1);
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

function isOfEndpoints({ upstream, endpoint }: DrainTarget): boolean {
  return upstream !== undefined || endpoint !== undefined;
}

function endpointsOf(
  target: DrainTarget,
  configuration: Configuration | undefined,
): readonly { readonly upstream: string; readonly address: string }[] {
  if (!isOfEndpoints(target)) return [];
  return (configuration?.model.upstreams ?? [])
    .filter(({ name }) => target.upstream === undefined || name === target.upstream)
    .flatMap(({ name, endpoints }) =>
      endpoints.map((endpoint) => ({ upstream: name, address: formatAddress(endpoint) })),
    )
    .filter(({ address }) => target.endpoint === undefined || address === target.endpoint);
}

function problemWith(target: DrainTarget, configuration: Configuration): string | undefined {
  const { routes, listeners } = configuration.model;
  const { route, listener } = target;
  if (isOfEndpoints(target)) {
    return endpointsOf(target, configuration).length === 0
      ? `there is no ${inWords(target)}; see /api/upstreams`
      : undefined;
  }
  if (route !== undefined && !routes.some(({ name }) => name === route))
    return `there is no route ${JSON.stringify(route)}; see /api/routes`;
  if (listener !== undefined && !listeners.some(({ name }) => name === listener))
    return `there is no listener ${JSON.stringify(listener)}; see /api/listeners`;
  return undefined;
}
