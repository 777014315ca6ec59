import { GatewayError } from "../../core/errors.ts";
import type { Filter } from "../../core/exchange.ts";
import type { LimitSettings } from "../../core/filter-settings.ts";
import { countedAddress } from "../../core/peer-text.ts";
import { retryAfter, retryAtRandom } from "../../core/retry-after.ts";
import type { PlacedParts } from "./parts.ts";
import type { LimitCounts } from "./route-limits.ts";

/** Limits open sessions and new exchanges per second, for the route and for one client address. */
export function createLimit(settings: LimitSettings, parts: PlacedParts): Filter {
  const counts = parts.limits.of(parts.route.name, parts.ordinal);
  return async (exchange, next) => {
    const address = countedAddress(exchange.client);
    // A refused exchange costs nothing: what was taken before is given back.
    if (exchange.kind === "handshake") takeSession(settings, counts, address);
    const waitMs = counts.takeTokens(address, settings, parts.clock());
    if (waitMs > 0) {
      if (exchange.kind === "handshake") counts.removeSession(address);
      throw tooManyRequests(waitMs);
    }
    // The scope of a handshake that succeeds ends with its session, that of another one with its answer.
    if (exchange.kind === "handshake") exchange.scope.defer(() => counts.removeSession(address));
    return next(exchange);
  };
}

function takeSession(settings: LimitSettings, counts: LimitCounts, address: string): void {
  const outcome = counts.addSession(address, settings);
  if (outcome === "route") throw tooManySessions("of this route");
  if (outcome === "address") throw tooManySessions("from this address");
}

function tooManyRequests(waitMs: number): GatewayError {
  const headers = retryAfter(Math.max(1, Math.ceil(waitMs / 1_000)));
  return new GatewayError("too_many_requests", "too many new requests per second", { headers });
}

/** Nobody knows when a session ends. */
function tooManySessions(where: string): GatewayError {
  return new GatewayError("too_many_sessions", `too many open sessions ${where}`, { headers: retryAtRandom(5) });
}
