import type { Exchange } from "../../core/exchange.ts";
import { dashedName, HeaderList } from "../../core/headers.ts";
import { authorityOf } from "../../core/snapshot.ts";
import { clientCertificateFields } from "./client-certificate-fields.ts";

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
  "client-cert",
  "client-cert-chain",
  "x-forwarded-client-cert",
]);

/** Fields that are written anew because they belong to the message as it is sent here. */
const rewrittenFields: ReadonlySet<string> = new Set(["host", "content-length", "sec-websocket-key"]);

/** Fields whose look-alikes (`Content_Length`) are dropped too: a backend may take them for the real ones. */
const imitatedFields: ReadonlySet<string> = new Set([
  ...ownedFields,
  "content-length",
  "transfer-encoding",
  "sec-websocket-key",
]);

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
  let text = `${head.method} ${exchange.target} HTTP/1.1\r\nHost: ${headers.get("host") ?? authorityOf(endpoint)}\r\n`;
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as string;
    if (isReplaced(key)) continue;
    text += `${names[at]}: ${values[at]}\r\n`;
  }
  return `${text}${forwardedFields(exchange)}${identityFields(exchange)}${framingFields(framing)}\r\n`;
}

/** The same for a stream (RFC 9113 §8.3.1), where the host stands elsewhere; `length` is that of the content, if it is known. */
export function upstreamFields(exchange: Exchange, length: number | undefined): HeaderList {
  const { keys, values } = exchange.headers;
  const fields = new HeaderList();
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as string;
    if (!isReplaced(key)) fields.add(key, values[at] as string, key);
  }
  for (const line of `${forwardedFields(exchange)}${identityFields(exchange)}`.split("\r\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) fields.add(line.slice(0, colon).toLowerCase(), line.slice(colon + 2));
  }
  if (length !== undefined) fields.add("content-length", String(length));
  // The gateway passes trailers on, whoever has asked, and gRPC does not answer without it.
  if (exchange.kind === "request") fields.add("te", "trailers");
  return fields;
}

/** True for what is not passed on as it came. */
function isReplaced(key: string): boolean {
  // All those names begin with one of c, f, h, s, t and x.
  switch (key.charCodeAt(0)) {
    case 0x63:
    case 0x66:
    case 0x68:
    case 0x73:
    case 0x78:
      return rewrittenFields.has(key) || ownedFields.has(key) || isLookAlike(key);
    case 0x74:
      return isLookAlike(key);
    default:
      return false;
  }
}

function isLookAlike(key: string): boolean {
  return (key.includes("_") || key.includes(".")) && imitatedFields.has(dashedName(key));
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
  const { head, peer, isSecure, id } = exchange;
  const scheme = isSecure ? "https" : "http";
  const host = head.authority;
  const element = `for=${forwardedNode(peer.address)};${host === "" ? "" : `host="${host}";`}proto=${scheme}`;
  if (exchange.isFromTrustedProxy) return continuedFields(exchange, { scheme, element });
  return `X-Forwarded-For: ${peer.address}\r\nX-Forwarded-Proto: ${scheme}\r\n${hostField(host)}X-Forwarded-Port: ${portOf(host, isSecure)}\r\nForwarded: ${element}\r\nX-Request-Id: ${id}\r\n`;
}

/** Behind a trusted proxy, what it says is kept, and the proxy itself is added. */
function continuedFields(exchange: Exchange, own: { readonly scheme: string; readonly element: string }): string {
  const { headers, head, peer, isSecure, id } = exchange;
  const before = (key: string): string | undefined => (headers.has(key) ? headers.all(key).join(", ") : undefined);
  const chain = before("x-forwarded-for");
  const elements = before("forwarded");
  return (
    `X-Forwarded-For: ${chain === undefined ? peer.address : `${chain}, ${peer.address}`}\r\n` +
    `X-Forwarded-Proto: ${before("x-forwarded-proto") ?? own.scheme}\r\n` +
    hostField(before("x-forwarded-host") ?? head.authority) +
    `X-Forwarded-Port: ${before("x-forwarded-port") ?? portOf(head.authority, isSecure)}\r\n` +
    `Forwarded: ${elements === undefined ? own.element : `${elements}, ${own.element}`}\r\n` +
    `X-Request-Id: ${id}\r\n`
  );
}

/** The certificate that the client has shown here, or to a trusted proxy (RFC 9440). */
function identityFields({ headers, security, isFromTrustedProxy }: Exchange): string {
  if (security?.clientCertificate !== undefined) return clientCertificateFields(security.clientCertificate);
  if (!isFromTrustedProxy) return "";
  let text = "";
  for (const [name, value] of headers) if (identityNames.has(name.toLowerCase())) text += `${name}: ${value}\r\n`;
  return text;
}

const identityNames: ReadonlySet<string> = new Set(["client-cert", "client-cert-chain", "x-forwarded-client-cert"]);

/** HTTP/1.0 needs no Host, and an empty field would say that there was one. */
function hostField(host: string): string {
  return host === "" ? "" : `X-Forwarded-Host: ${host}\r\n`;
}

/** RFC 7239 §6: an IPv6 address stands in brackets and quotes. */
function forwardedNode(address: string): string {
  return address.includes(":") ? `"[${address}]"` : address;
}

function portOf(authority: string, isSecure: boolean): string {
  const colon = authority.lastIndexOf(":");
  if (colon < 0 || authority.endsWith("]")) return isSecure ? "443" : "80";
  return authority.substring(colon + 1) || (isSecure ? "443" : "80");
}
