import { randomUUID } from "node:crypto";
import type { HeaderList } from "../core/headers.ts";
import type { PeerAddress } from "../core/wire.ts";
import { normalizeAddress } from "../kit/ip-range.ts";

/** The id of a request: the one a trusted proxy gave it, or a new one. */
export function requestId(headers: HeaderList, isTrusted: boolean): string {
  const given = isTrusted ? headers.get("x-request-id") : undefined;
  return given !== undefined && /^[A-Za-z0-9._:/+=@-]{1,128}$/.test(given) ? given : randomUUID();
}

/** `address:port` for logs; only the address where the port is not known. */
export function formatPeer(peer: PeerAddress): string {
  if (peer.port === 0) return peer.address;
  return peer.address.includes(":") ? `[${peer.address}]:${peer.port}` : `${peer.address}:${peer.port}`;
}

/** The address of a peer that `formatPeer` wrote, as it is counted by. */
export function addressOf(peer: string): string {
  const port = peer.lastIndexOf(":");
  const address = peer.startsWith("[") ? peer.slice(1, peer.indexOf("]")) : isBare(peer) ? peer : peer.slice(0, port);
  return normalizeAddress(address) ?? address;
}

/** An IPv6 address without brackets has no port behind it, nor has one without any colon. */
function isBare(peer: string): boolean {
  return peer.indexOf(":") !== peer.lastIndexOf(":") || !peer.includes(":");
}
