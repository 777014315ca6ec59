import { GatewayError } from "../../core/errors.ts";
import type { Exchange, Filter } from "../../core/exchange.ts";
import type { LimitSettings } from "../../core/filter-settings.ts";
import { HeaderList } from "../../core/headers.ts";
import { normalizeAddress } from "../../kit/ip-range.ts";
import type { PlacedParts } from "./parts.ts";
import type { LimitCounts } from "./route-limits.ts";

/** Limits open sessions and new exchanges per second, for the route and for one client address. */
export function createLimit(settings: LimitSettings, parts: PlacedParts): Filter {
  const counts = parts.limits.of(parts.route.name, parts.ordinal);
  return async (exchange, next) => {
    const address = normalizeAddress(exchange.client.address) ?? exchange.client.address;
    // Everything is asked before anything is taken, so that a refused exchange costs nothing.
    if (exchange.kind === "handshake") checkSessions(settings, counts, address);
    takeToken(settings, { counts, address, now: parts.clock() });
    if (exchange.kind === "handshake") countSession(exchange, counts, address);
    return next(exchange);
  };
}

function checkSessions(settings: LimitSettings, counts: LimitCounts, address: string): void {
  if (counts.sessions >= (settings.sessions ?? Number.POSITIVE_INFINITY)) throw tooManySessions("of this route");
  if (counts.sessionsOf(address) >= (settings.sessionsPerAddress ?? Number.POSITIVE_INFINITY)) {
    throw tooManySessions("from this address");
  }
}

type Taker = { readonly counts: LimitCounts; readonly address: string; readonly now: number };

function takeToken(settings: LimitSettings, { counts, address, now }: Taker): void {
  const { perSecond, perSecondPerAddress } = settings;
  const ownBucket = perSecondPerAddress && counts.rateOf(address, perSecondPerAddress, now);
  const ownWait = (perSecondPerAddress && ownBucket?.waitMs(perSecondPerAddress, now)) ?? 0;
  const routeWait = perSecond === undefined ? 0 : counts.rate.waitMs(perSecond, now);
  if (ownWait > 0 || routeWait > 0) throw tooManyRequests(Math.max(ownWait, routeWait));
  ownBucket?.take();
  if (perSecond !== undefined) counts.rate.take();
}

/** The scope of a handshake that succeeds ends with its session, that of another one with its answer. */
function countSession(exchange: Exchange, counts: LimitCounts, address: string): void {
  counts.addSession(address);
  exchange.scope.defer(() => counts.removeSession(address));
}

function tooManyRequests(waitMs: number): GatewayError {
  return refused("too_many_requests", "too many new requests per second", Math.max(1, Math.ceil(waitMs / 1_000)));
}

/** Nobody knows when a session ends, so those who come back are at least kept from coming back together. */
function tooManySessions(where: string): GatewayError {
  return refused("too_many_sessions", `too many open sessions ${where}`, 1 + Math.floor(Math.random() * 5));
}

function refused(
  code: "too_many_requests" | "too_many_sessions",
  says: string,
  retryAfterSeconds: number,
): GatewayError {
  const headers = HeaderList.from([["Retry-After", String(retryAfterSeconds)]]);
  return new GatewayError(code, says, { headers });
}
