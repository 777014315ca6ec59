import type { HeaderList } from "../../core/headers.ts";

/** Fields that concern one connection only (RFC 9110 §7.6.1), and never go through. */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  // No field of HTTP, but CGI programs take it for the variable that names their proxy (CVE-2016-5385).
  "proxy",
]);

/** What Connection cannot remove, whoever names it: these say what the message is, and where it comes from. */
const protectedNames: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "content-type",
  "authorization",
  "cookie",
  "set-cookie",
  "origin",
  "forwarded",
  "x-request-id",
  "x-real-ip",
  "client-cert",
  "client-cert-chain",
]);

/** What most peers send: it names no field. */
const usualConnection: ReadonlySet<string> = new Set(["keep-alive", "close", "Upgrade", "upgrade"]);

/** Connection options that name no field, or one that is removed anyway. */
const harmlessConnection = /^(?:keep-alive|close|upgrade|keep-alive, *upgrade|upgrade, *keep-alive)$/i;

/** Removes the hop-by-hop fields and those that Connection names. */
export function removeHopByHop(headers: HeaderList): void {
  const { keys, values } = headers;
  let named: Set<string> | undefined;
  let found = false;
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as string;
    if (!hopByHop.has(key)) continue;
    found = true;
    const value = values[at] as string;
    if (key === "connection" && !usualConnection.has(value) && !harmlessConnection.test(value))
      named = connectionNames(value, named);
  }
  if (!found) return;
  for (let at = keys.length - 1; at >= 0; at--) {
    const key = keys[at] as string;
    if (hopByHop.has(key) || (named?.has(key) === true && !isProtected(key))) headers.removeAt(at);
  }
}

function isProtected(key: string): boolean {
  return protectedNames.has(key) || key.startsWith("x-forwarded-");
}

function connectionNames(value: string, names = new Set<string>()): Set<string> {
  for (const option of value.split(",")) names.add(option.trim().toLowerCase());
  return names;
}
