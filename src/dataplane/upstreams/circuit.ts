import { GatewayError } from "../../core/errors.ts";
import { retryAtRandom } from "../../core/retry-after.ts";
import type { CircuitLimits } from "../../core/snapshot.ts";

/** What is under way at an endpoint, or at all endpoints of an upstream. */
export type CircuitLoad = {
  readonly sessions: number;
  readonly requests: number;
  /** Connections that are being made, and those that wait for their next request. */
  readonly connecting: number;
  readonly idle: number;
};

/** The name of a limit. */
export type CircuitLimit = keyof CircuitLimits;

/** The limit that one more session or request would pass; undefined if there is room for it. */
export function limitInTheWay(
  what: "sessions" | "requests",
  load: CircuitLoad,
  limits: CircuitLimits,
): CircuitLimit | undefined {
  if (load[what] >= (limits[what] ?? Number.POSITIVE_INFINITY)) return what;
  const needsConnection = what === "sessions" || load.idle === 0;
  return needsConnection && load.connecting >= (limits.connects ?? Number.POSITIVE_INFINITY) ? "connects" : undefined;
}

/** The loads of several endpoints together. */
export function totalLoad(loads: Iterable<CircuitLoad>): CircuitLoad {
  const sum = { sessions: 0, requests: 0, connecting: 0, idle: 0 };
  for (const load of loads) {
    sum.sessions += load.sessions;
    sum.requests += load.requests;
    sum.connecting += load.connecting;
    sum.idle += load.idle;
  }
  return sum;
}

/** Endpoints that are full, and a limit that one of them has reached. */
export type Full<E> = { readonly endpoints: ReadonlySet<E>; readonly limit: CircuitLimit };

/** What holds where nothing is limited. */
export const nothingFull: Full<never> = { endpoints: new Set<never>(), limit: "requests" };

/** What is under way at the endpoints of an upstream, and how much of it may be. */
export type Circuit<E> = {
  readonly limits: CircuitLimits | undefined;
  readonly endpointLimits: CircuitLimits | undefined;
  readonly endpoints: readonly E[];
  /** No longer configured, but still in use. */
  readonly leaving: readonly E[];
};

/** Endpoints that may not get one more; or the limit of the upstream as a whole that is in the way. */
export function findFull<E extends { readonly circuitLoad: CircuitLoad }>(
  what: "sessions" | "requests",
  { limits, endpointLimits, endpoints, leaving }: Circuit<E>,
): Full<E> | CircuitLimit {
  if (limits !== undefined) {
    const inTheWay = limitInTheWay(
      what,
      totalLoad([...endpoints, ...leaving].map(({ circuitLoad }) => circuitLoad)),
      limits,
    );
    if (inTheWay !== undefined) return inTheWay;
  }
  if (endpointLimits === undefined) return nothingFull;
  const full = new Set<E>();
  let limit: CircuitLimit = what;
  for (const endpoint of endpoints) {
    const inTheWay = limitInTheWay(what, endpoint.circuitLoad, endpointLimits);
    if (inTheWay === undefined) continue;
    limit = inTheWay;
    full.add(endpoint);
  }
  return { endpoints: full, limit };
}

/** Nothing was sent, and nobody knows when there is room again. */
export function upstreamFull(upstream: string, limit: CircuitLimit): GatewayError {
  return new GatewayError("upstream_full", `the upstream ${upstream} takes no more ${limit} now`, {
    headers: retryAtRandom(5),
  });
}
