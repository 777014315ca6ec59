import { randomUUID } from "node:crypto";
import type { HeaderList } from "../core/headers.ts";
import type { PeerAddress } from "../core/wire.ts";

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
