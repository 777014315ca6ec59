import { normalizeAddress } from "../kit/ip-range.ts";

/** A host with an optional port, as in `Host`, `:authority` and an origin. */
export type Authority = {
  /** Lower case, without brackets and without a trailing dot; an address literal in its one normal form. */
  readonly host: string;
  readonly port?: number;
};

/** What was read last: clients ask for the same few hosts again and again. */
let latest: { readonly value: string; readonly authority: Authority | undefined } = { value: "", authority: undefined };

/**
 * Reads `host[:port]` (RFC 3986 §3.2) strictly: no userinfo, no percent-encoding, no empty label; undefined if it is anything else.
 */
export function parseAuthority(value: string): Authority | undefined {
  if (value !== latest.value) latest = { value, authority: readAuthority(value) };
  return latest.authority;
}

function readAuthority(value: string): Authority | undefined {
  if (value.length > 262) return undefined;
  const isLiteral = value.charCodeAt(0) === 0x5b;
  const end = isLiteral ? value.indexOf("]") + 1 : nameLength(value);
  const host = isLiteral ? parseLiteral(value.slice(1, end - 1)) : parseName(value.slice(0, end));
  if (host === undefined) return undefined;
  if (end === value.length) return { host };
  if (value.charCodeAt(end) !== 0x3a) return undefined;
  // RFC 3986 §3.2.3 allows an empty port, which means the default one.
  if (end + 1 === value.length) return { host };
  const port = parsePort(value.slice(end + 1));
  return port === undefined ? undefined : { host, port };
}

/** `host[:port]` with brackets where an IPv6 address needs them. */
export function formatAuthority(authority: Authority): string {
  const host = authority.host.includes(":") ? `[${authority.host}]` : authority.host;
  return authority.port === undefined ? host : `${host}:${authority.port}`;
}

function parseLiteral(text: string): string | undefined {
  return text.includes(":") && !text.includes("%") ? normalizeAddress(text) : undefined;
}

/** How many characters of a registered name or IPv4 address `value` begins with: unreserved characters and sub-delims. */
function nameLength(value: string): number {
  let at = 0;
  while (at < value.length && isNameCode(value.charCodeAt(at))) at++;
  return at;
}

function parseName(text: string): string | undefined {
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  if (name === "" || name.length > 253 || name.startsWith(".") || name.endsWith(".") || name.includes(".."))
    return undefined;
  return name.toLowerCase();
}

function parsePort(text: string): number | undefined {
  if (text.length > 5) return undefined;
  let port = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    port = port * 10 + digit;
  }
  return port > 0 && port <= 65_535 ? port : undefined;
}

function isNameCode(code: number): boolean {
  return code < 128 && nameCodes[code] === 1;
}

const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=";
const nameCodes = Uint8Array.from({ length: 128 }, (_, code) =>
  nameCharacters.includes(String.fromCharCode(code)) ? 1 : 0,
);
