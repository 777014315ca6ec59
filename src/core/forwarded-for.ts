import { type IpRanges, normalizeAddress } from "../kit/ip-range.ts";
import type { HeaderList } from "./headers.ts";
import { parseAuthority } from "./host.ts";
import type { PeerAddress } from "./wire.ts";

/**
 * Who asked: the peer, or, as long as that is a trusted proxy, the address before it in X-Forwarded-For, read from the end. An entry that
 * is no address ends the search. The port is 0 where no proxy named it.
 */
export function findClient(peer: PeerAddress, headers: HeaderList, trusted: IpRanges): PeerAddress {
  let client = peer;
  if (!trusted.contains(client.address)) return client;
  const chain = headers.all("x-forwarded-for").join(",");
  for (let end = chain.length; end > 0 && trusted.contains(client.address); ) {
    const border = chain.lastIndexOf(",", end - 1);
    const entry = parseEntry(chain.slice(border + 1, end).trim());
    if (entry === undefined) break;
    client = entry;
    end = border;
  }
  return client;
}

/** An address, or `address:port` with brackets round an IPv6 address, as some proxies write it. */
function parseEntry(text: string): PeerAddress | undefined {
  const plain = normalizeAddress(text);
  if (plain !== undefined) return { address: plain, port: 0 };
  const authority = parseAuthority(text);
  const address = authority && normalizeAddress(authority.host);
  return address === undefined ? undefined : { address, port: authority?.port ?? 0 };
}
