import { GatewayError } from "../../core/errors.ts";
import type { Exchange, Filter } from "../../core/exchange.ts";
import type { RedirectSettings } from "../../core/filter-settings.ts";
import { HeaderList } from "../../core/headers.ts";
import { type Authority, formatAuthority, parseAuthority } from "../../core/host.ts";
import { reasonPhrase } from "../../core/reason-phrase.ts";
import { parseTarget } from "../../core/request-target.ts";
import { defaultPort, publicAuthority, publicScheme } from "./public-address.ts";

/** Answers with a redirect; the parts of its URL that are not given are those of the request. */
export function createRedirect(settings: RedirectSettings): Filter {
  const host = settings.host === undefined ? undefined : parseAuthority(settings.host);
  if (settings.host !== undefined && host === undefined) throw new Error(`"${settings.host}" is no host`);
  if (settings.path !== undefined && "problem" in parseTarget(settings.path))
    throw new Error(`"${settings.path}" is no path`);
  return async (exchange) => ({
    kind: "response",
    status: settings.status,
    reason: reasonPhrase(settings.status),
    // RFC 9110 section 6.6.1: who makes an answer dates it.
    headers: HeaderList.from([
      ["Location", locationOf(exchange, settings, host)],
      ["Date", new Date().toUTCString()],
    ]),
    body: undefined,
  });
}

/** Every part was checked: the host by `parseAuthority`, path and query by `parseTarget`. */
function locationOf(exchange: Exchange, settings: RedirectSettings, host: Authority | undefined): string {
  const scheme = settings.scheme ?? publicScheme(exchange);
  const { host: name, port } = host ?? requestAuthority(exchange, settings.scheme !== undefined);
  const isPortImplied = port === undefined || port === defaultPort(scheme);
  const authority = formatAuthority(isPortImplied ? { host: name } : { host: name, port });
  return `${scheme}://${authority}${pathAndQuery(exchange, settings.path)}`;
}

/** A new scheme listens on a port of its own, so the request's port is left out then. */
function requestAuthority(exchange: Exchange, hasNewScheme: boolean): Authority {
  const authority = publicAuthority(exchange);
  if (authority === undefined) throw noHost();
  return hasNewScheme ? { host: authority.host } : authority;
}

function pathAndQuery(exchange: Exchange, path: string | undefined): string {
  const target = parseTarget(exchange.target);
  if ("problem" in target) return path ?? "/";
  const query = target.query === "" ? "" : `?${target.query}`;
  return (path ?? target.path) + query;
}

function noHost(): GatewayError {
  return new GatewayError("bad_request", "a redirect needs the Host field");
}
