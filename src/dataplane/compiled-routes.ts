import { GatewayError } from "../core/errors.ts";
import type { Next } from "../core/exchange.ts";
import type { RouteSettings } from "../core/snapshot.ts";
import type { RouteTable } from "./routing/route-table.ts";

/** A route, and the way of its exchanges: filters and forward. */
export type CompiledRoute = { readonly settings: RouteSettings; readonly way: Next };

/** The routes of one snapshot, ready to serve. */
export type CompiledRoutes = {
  readonly revision: number;
  readonly routes: readonly RouteSettings[];
  readonly table: RouteTable<CompiledRoute>;
};

/** Where exchanges go that no route matches. Its name is empty. */
export const refuseUnrouted: CompiledRoute = {
  settings: {
    name: "",
    match: { hosts: [], path: { kind: "any" }, methods: [], headers: [], query: [] },
    filters: [],
    to: [],
    timeouts: { connectMs: 0, handshakeMs: 0, idleMs: 0, lifetimeMs: 0, closeMs: 0, requestMs: 60_000 },
    keepalive: { pingMs: 0, misses: 0 },
    closeCodes: { idle: 1001, lifetime: 1001, upstreamLost: 1014 },
    onChange: "keep",
  },
  way: async () => {
    throw new GatewayError("no_route", "no route matches this host and path");
  },
};
