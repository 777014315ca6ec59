import type { Exchange } from "../../core/exchange.ts";
import { type Authority, parseAuthority } from "../../core/host.ts";

/** The scheme that the client used: that of the connection, or what a trusted proxy says. */
export function publicScheme(exchange: Exchange): "http" | "https" {
  const forwarded = firstForwarded(exchange, "x-forwarded-proto")?.toLowerCase();
  if (forwarded === "https" || forwarded === "wss") return "https";
  if (forwarded === "http" || forwarded === "ws") return "http";
  return exchange.isSecure ? "https" : "http";
}

/** The host and port that the client asked for: those of Host, or what a trusted proxy says. */
export function publicAuthority(exchange: Exchange): Authority | undefined {
  return parseAuthority(firstForwarded(exchange, "x-forwarded-host") ?? exchange.head.authority);
}

/** The port that a URL of this scheme has if it names none. */
export function defaultPort(scheme: string): number | undefined {
  if (scheme === "http") return 80;
  return scheme === "https" ? 443 : undefined;
}

/** The first of the values is the one of the proxy that the client talked to. */
function firstForwarded(exchange: Exchange, key: string): string | undefined {
  if (!exchange.isFromTrustedProxy) return undefined;
  return exchange.head.headers.get(key)?.split(",", 1)[0]?.trim();
}
