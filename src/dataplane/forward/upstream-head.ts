import type { Exchange } from "../../core/exchange.ts";

/**
 * Fields that only the gateway writes. What a client sends under these names, or under names that a backend may take for them
 * (`X_Forwarded_For`), is dropped, unless it is a trusted proxy.
 */
const ownedFields: ReadonlySet<string> = new Set([
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-request-id",
  "x-real-ip",
]);

/** Fields that are written anew because they belong to the message as it is sent here. */
const rewrittenFields: ReadonlySet<string> = new Set(["host", "content-length", "sec-websocket-key"]);

/** The framing of what is sent, as field lines. */
export type OutgoingFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "handshake"; readonly key: string };

/** The head that goes upstream, with its empty line. Hop-by-hop fields were removed when the exchange began. */
export function upstreamHead(exchange: Exchange, framing: OutgoingFraming, endpoint: string): string {
  const { headers, head } = exchange;
  const { names, keys, values } = headers;
  let text = `${head.method} ${exchange.target} HTTP/1.1\r\nHost: ${headers.get("host") ?? endpoint}\r\n`;
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as string;
    if (rewrittenFields.has(key) || isOwned(key)) continue;
    text += `${names[at]}: ${values[at]}\r\n`;
  }
  return `${text}${forwardedFields(exchange)}${framingFields(framing)}\r\n`;
}

function isOwned(key: string): boolean {
  if (ownedFields.has(key)) return true;
  if (!key.includes("_") && !key.includes(".")) return false;
  return ownedFields.has(key.replace(/[_.]/g, "-"));
}

function framingFields(framing: OutgoingFraming): string {
  switch (framing.kind) {
    case "none":
      return "";
    case "length":
      return `Content-Length: ${framing.length}\r\n`;
    case "chunked":
      return "Transfer-Encoding: chunked\r\n";
    case "handshake":
      return `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${framing.key}\r\n`;
  }
}

/** X-Forwarded-* and Forwarded (RFC 7239), the same for requests and handshakes. */
function forwardedFields(exchange: Exchange): string {
  const { head, peer, isSecure, isFromTrustedProxy } = exchange;
  const before = (key: string): string | undefined => {
    if (!isFromTrustedProxy) return undefined;
    const all = exchange.headers.all(key);
    return all.length === 0 ? undefined : all.join(", ");
  };
  const scheme = isSecure ? "https" : "http";
  const chain = before("x-forwarded-for");
  const element = `for=${forwardedNode(peer.address)};host="${head.authority}";proto=${scheme}`;
  const elements = before("forwarded");
  return (
    `X-Forwarded-For: ${chain === undefined ? peer.address : `${chain}, ${peer.address}`}\r\n` +
    `X-Forwarded-Proto: ${before("x-forwarded-proto") ?? scheme}\r\n` +
    `X-Forwarded-Host: ${before("x-forwarded-host") ?? head.authority}\r\n` +
    `X-Forwarded-Port: ${before("x-forwarded-port") ?? portOf(head.authority, isSecure)}\r\n` +
    `Forwarded: ${elements === undefined ? element : `${elements}, ${element}`}\r\n` +
    `X-Request-Id: ${exchange.id}\r\n`
  );
}

/** RFC 7239 §6: an IPv6 address stands in brackets and quotes. */
function forwardedNode(address: string): string {
  return address.includes(":") ? `"[${address}]"` : address;
}

function portOf(authority: string, isSecure: boolean): string {
  const port = /:([0-9]+)$/.exec(authority);
  return port?.[1] ?? (isSecure ? "443" : "80");
}
