import { normalizeAddress } from "../kit/ip-range.ts";
import type { PeerAddress } from "./wire.ts";

/** `address:port` for logs; only the address where the port is not known. */
export function formatPeer({ address, port }: PeerAddress): string {
  if (port === 0) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The address that a peer is counted by, which is the same however it is spelled. */
export function countedAddress({ address }: PeerAddress): string {
  return normalizeAddress(address) ?? address;
}

/** The peer that `formatPeer` has written. */
export function parsePeer(text: string): PeerAddress {
  const colon = text.lastIndexOf(":");
  if (text.startsWith("[")) return { address: text.slice(1, text.indexOf("]")), port: portOf(text, colon) };
  // An IPv6 address without brackets has no port behind it, nor has one without any colon.
  if (text.indexOf(":") !== colon || colon < 0) return { address: text, port: 0 };
  return { address: text.slice(0, colon), port: portOf(text, colon) };
}

function portOf(text: string, colon: number): number {
  return Number(text.slice(colon + 1)) || 0;
}
