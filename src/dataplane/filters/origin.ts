import { domainToASCII } from "node:url";
import { GatewayError } from "../../core/errors.ts";
import type { Exchange, Filter } from "../../core/exchange.ts";
import type { OriginSettings } from "../../core/filter-settings.ts";
import { parseAuthority } from "../../core/host.ts";
import { compileRegex } from "../../kit/regex.ts";
import { defaultPort, publicAuthority, publicScheme } from "./public-address.ts";

/** Lets an exchange pass if it has no Origin, or one of the page's own host, or an allowed one; in report mode it only notes it. */
export function createOrigin(settings: OriginSettings): Filter {
  const rules = settings.allow.map(parseRule);
  return async (exchange, next) => {
    const origins = exchange.head.headers.all("origin");
    if (!origins.every((text) => isAllowed(exchange, text, rules)) || origins.length > 1) {
      if (settings.mode === "block") throw forbiddenOrigin(origins);
      exchange.notes.report = "forbidden_origin";
    }
    return next(exchange);
  };
}

/**
 * The safe default for routes without an origin filter: a page of another origin cannot open a WebSocket with the user's cookies, because
 * browsers send them along and leave it to the server to look at Origin.
 */
// Not async: it stands before every exchange of almost every route.
export const checkOriginDefault: Filter = (exchange, next) => {
  if (exchange.kind === "handshake" && exchange.head.headers.has("cookie")) {
    const origins = exchange.head.headers.all("origin");
    if (!origins.every((text) => isAllowed(exchange, text, [])) || origins.length > 1) {
      return Promise.reject(forbiddenOrigin(origins));
    }
  }
  return next(exchange);
};

/** An origin in its parts (RFC 6454 §4); the port is the one meant, also where it is not written. */
type Origin = { readonly scheme: string; readonly host: string; readonly port: number | undefined };

/** Accepts an origin; `parsed` is undefined for `null` and for what is no origin. */
type Rule = (text: string, parsed: Origin | undefined) => boolean;

function isAllowed(exchange: Exchange, text: string, rules: readonly Rule[]): boolean {
  const parsed = parseOrigin(text);
  return (parsed !== undefined && isOwn(exchange, parsed)) || rules.some((rule) => rule(text, parsed));
}

function isOwn(exchange: Exchange, origin: Origin): boolean {
  const scheme = publicScheme(exchange);
  const authority = publicAuthority(exchange);
  if (authority === undefined || origin.scheme !== scheme || origin.host !== authority.host) return false;
  return origin.port === (authority.port ?? defaultPort(scheme));
}

function parseOrigin(text: string): Origin | undefined {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.+)$/i.exec(text) ?? [];
  const authority = rest === undefined ? undefined : parseAuthority(rest);
  if (scheme === undefined || authority === undefined) return undefined;
  const lower = scheme.toLowerCase();
  return { scheme: lower, host: authority.host, port: authority.port ?? defaultPort(lower) };
}

function parseRule(rule: string): Rule {
  if (rule === "*") return () => true;
  if (rule === "null") return (text) => text === "null";
  if (rule.length > 2 && rule.startsWith("/") && rule.endsWith("/")) {
    const regex = compileRegex(rule.slice(1, -1));
    return (text, parsed) => regex.matches(parsed === undefined ? text : formatOrigin(parsed));
  }
  const [, scheme, wildcard, rest] = /^([^/]+:\/\/)(\*\.)?(.+)$/.exec(rule) ?? [];
  const wanted = parseOrigin(`${scheme}${toAscii(rest ?? "")}`);
  if (wanted === undefined) throw new Error(`"${rule}" is no origin`);
  return (_, origin) => {
    if (origin === undefined || origin.scheme !== wanted.scheme || origin.port !== wanted.port) return false;
    return wildcard === undefined ? origin.host === wanted.host : origin.host.endsWith(`.${wanted.host}`);
  };
}

/** Browsers send an international name in its ASCII form. */
function toAscii(authority: string): string {
  const [, name = "", port = ""] = /^(.*?)(:[0-9]+)?$/.exec(authority) ?? [];
  return /^[\x20-\x7e]*$/.test(name) ? authority : domainToASCII(name) + port;
}

function formatOrigin(origin: Origin): string {
  const host = origin.host.includes(":") ? `[${origin.host}]` : origin.host;
  const port = origin.port === undefined || origin.port === defaultPort(origin.scheme) ? "" : `:${origin.port}`;
  return `${origin.scheme}://${host}${port}`;
}

function forbiddenOrigin(origins: readonly string[]): GatewayError {
  const says = origins.length > 1 ? "there are several Origin fields" : "pages of this origin may not connect";
  return new GatewayError("forbidden_origin", says, { cause: new Error(`Origin: ${origins.join(", ")}`) });
}
