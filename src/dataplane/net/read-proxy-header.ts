import { isIPv4, isIPv6 } from "node:net";
import type { PeerAddress } from "../../core/wire.ts";

/** What the beginning of a connection is, as the PROXY protocol has it (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). */
export type ProxyHeader =
  /** Who is behind the proxy; undefined if it speaks for itself, or does not know. `length` in bytes. */
  | { readonly kind: "whole"; readonly source: PeerAddress | undefined; readonly length: number }
  /** It goes on for `missing` bytes at least. */
  | { readonly kind: "partial"; readonly missing: number }
  | { readonly kind: "none" };

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const word = Buffer.from("PROXY ");
/** The shortest header of each version, `PROXY UNKNOWN\r\n` and one without addresses (bytes). */
const shortestLine = 15;
const shortestHeader = 16;
/** The longest line of version 1, and the longest header of version 2 that is read (bytes). */
const longestLine = 107;
const longestHeader = 2048;

const none = { kind: "none" } as const;

/** Reads a header of version 1 or 2 from the first bytes of a connection. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsAlike(bytes, word)) return readLine(bytes);
  if (!startsAlike(bytes, signature)) return none;
  return bytes.length < shortestHeader ? partial(shortestHeader - bytes.length) : readBinary(bytes);
}

function partial(missing: number): ProxyHeader {
  return { kind: "partial", missing };
}

function startsAlike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function readLine(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, longestLine).indexOf("\r\n");
  if (end < 0) return bytes.length < longestLine ? partial(Math.max(1, shortestLine - bytes.length)) : none;
  const length = end + 2;
  const [, family, address = "", to = "", port, toPort, ...rest] = bytes.toString("latin1", 0, end).split(" ");
  if (family === "UNKNOWN") return { kind: "whole", source: undefined, length };
  const isAddress = family === "TCP4" ? isIPv4 : isIPv6;
  const isKnown = family === "TCP4" || family === "TCP6";
  if (!isKnown || rest.length > 0 || !isAddress(address) || !isAddress(to) || !isPort(port) || !isPort(toPort))
    return none;
  return { kind: "whole", source: { address: shorten(address), port: Number(port) }, length };
}

/** The one form of an address that everybody writes (RFC 5952). */
function shorten(address: string): string {
  return address.includes(":") ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

function isPort(text: string | undefined): boolean {
  return text !== undefined && /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

function readBinary(bytes: Buffer): ProxyHeader {
  const [command = 0, family = 0] = bytes.subarray(12, 14);
  const length = 16 + bytes.readUInt16BE(14);
  if (command >> 4 !== 2 || (command & 15) > 1 || length > longestHeader) return none;
  if (bytes.length < length) return partial(length - bytes.length);
  // LOCAL, or a family that has no addresses of ours.
  if ((command & 15) === 0 || (family !== 0x11 && family !== 0x21)) return { kind: "whole", source: undefined, length };
  const size = family === 0x11 ? 4 : 16;
  if (length < 16 + 2 * size + 4) return none;
  const address = formatBytes(bytes.subarray(16, 16 + size));
  return { kind: "whole", source: { address, port: bytes.readUInt16BE(16 + 2 * size) }, length };
}

function formatBytes(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16));
  return shorten(groups.join(":"));
}
