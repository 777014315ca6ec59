import { GatewayError } from "../../core/errors.ts";
import { HeaderList } from "../../core/headers.ts";
import type { CircuitLimits } from "../../core/snapshot.ts";

/** What is under way at an endpoint, or at all endpoints of an upstream. */
export type CircuitLoad = {
  readonly sessions: number;
  readonly requests: number;
  /** Connections that are being made, and those that wait for their next request. */
  readonly connecting: number;
  readonly idle: number;
};

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

/** Nothing was sent. Nobody knows when there is room again, so those who come back are at least kept from coming back together. */
export function upstreamFull(upstream: string, limit: CircuitLimit): GatewayError {
  const retryAfterSeconds = 1 + Math.floor(Math.random() * 5);
  return new GatewayError("upstream_full", `the upstream ${upstream} takes no more ${limit} now`, {
    headers: HeaderList.from([["Retry-After", String(retryAfterSeconds)]]),
  });
}
