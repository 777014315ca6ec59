import { GatewayError } from "../../core/errors.ts";
import type { Filter } from "../../core/exchange.ts";
import type { IpSettings } from "../../core/filter-settings.ts";
import { findClient } from "../../core/forwarded-for.ts";
import { IpRanges } from "../../kit/ip-range.ts";

/** Lets only allowed client addresses pass; `deny` wins. */
export function createIp(settings: IpSettings): Filter {
  const allow = IpRanges.parse(settings.allow);
  const deny = IpRanges.parse(settings.deny);
  const trusted = settings.trustedProxies && IpRanges.parse(settings.trustedProxies);
  return async (exchange, next) => {
    const { address } = trusted ? findClient(exchange.peer, exchange.head.headers, trusted) : exchange.client;
    const isAllowed = !deny.contains(address) && (allow.isEmpty || allow.contains(address));
    if (!isAllowed) throw forbiddenAddress(address);
    return next(exchange);
  };
}

function forbiddenAddress(address: string): GatewayError {
  return new GatewayError("forbidden_address", "this address may not connect", {
    cause: new Error(`client ${address}`),
  });
}
