import { GatewayError } from "../core/errors.ts";
import type { Incoming, Next } from "../core/exchange.ts";
import { HeaderList } from "../core/headers.ts";
import { formatAuthority } from "../core/host.ts";
import { reasonPhrase } from "../core/reason-phrase.ts";
import { publicAuthority, publicScheme } from "./filters/public-address.ts";
import type { ListenerFacts } from "./listener.ts";

/** The way of an exchange as its listener wants it: that of its route, or one before it. */
export function listenerWay(way: Next, incoming: Incoming, listener: ListenerFacts): Next {
  const { security, head } = incoming;
  if (security?.serverName !== undefined && listener.isMisdirected?.(security.serverName, head.host) === true)
    return refuseMisdirected;
  return listener.httpsPort === undefined ? way : toHttps(way, listener.httpsPort);
}

/** RFC 9110 §15.5.20. The certificate that the client has checked does not speak for the host it asks. */
const refuseMisdirected: Next = async () => {
  throw new GatewayError("misdirected_request", "this connection was opened for a host with another certificate");
};

/** Sends everything to the same place over TLS that has not come from there to a trusted proxy. */
function toHttps(way: Next, port: number): Next {
  return async (exchange) => {
    if (publicScheme(exchange) === "https") return way(exchange);
    const authority = publicAuthority(exchange);
    if (authority === undefined) throw new GatewayError("bad_request", "a redirect needs the Host field");
    const host = formatAuthority(port === 443 ? { host: authority.host } : { host: authority.host, port });
    const location = `https://${host}${exchange.target}`;
    const headers = HeaderList.from([["Location", location]]);
    return { kind: "response", status: 308, reason: reasonPhrase(308), headers, body: undefined };
  };
}
