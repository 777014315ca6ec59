import { addressGroups } from "../kit/ip-range.ts";
import type { PeerAddress } from "./wire.ts";

/** The versions of the PROXY protocol (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt): a line of text, or bytes. */
export type ProxyProtocol = "v1" | "v2";

/** The two ends of a client's connection; the destination is not always known. */
export type ProxiedConnection = { readonly source: PeerAddress; readonly destination: PeerAddress | undefined };

/** What a connection begins with that is made for a client; without one it says that the sender speaks for itself. */
export function proxyHeader(version: ProxyProtocol, connection: ProxiedConnection | undefined): Uint8Array {
  const ends = connection && endsOf(connection);
  return version === "v1" ? textHeader(ends) : binaryHeader(ends);
}

/** 2 groups of 16 bits each for IPv4, 8 for IPv6; both ends are of one family. */
type Ends = {
  readonly source: readonly number[];
  readonly destination: readonly number[];
  readonly ports: readonly [number, number];
};

function endsOf({ source, destination }: ProxiedConnection): Ends | undefined {
  const from = addressGroups(source.address);
  if (from === undefined) return undefined;
  const to = destination === undefined ? from.map(() => 0) : addressGroups(destination.address);
  if (to === undefined) return undefined;
  const ports = [source.port, destination?.port ?? 0] as const;
  if (from.length === to.length) return { source: from, destination: to, ports };
  return { source: asIpv6(from), destination: asIpv6(to), ports };
}

function asIpv6(groups: readonly number[]): readonly number[] {
  return groups.length === 8 ? groups : [0, 0, 0, 0, 0, 0xffff, ...groups];
}

function textHeader(ends: Ends | undefined): Uint8Array {
  if (ends === undefined) return Buffer.from("PROXY UNKNOWN\r\n");
  const { source, destination, ports } = ends;
  const family = source.length === 2 ? "TCP4" : "TCP6";
  return Buffer.from(`PROXY ${family} ${textOf(source)} ${textOf(destination)} ${ports[0]} ${ports[1]}\r\n`);
}

function textOf(groups: readonly number[]): string {
  if (groups.length === 8) return groups.map((group) => group.toString(16)).join(":");
  return groups.map((group) => `${group >> 8}.${group & 255}`).join(".");
}

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** Version 2, and the command: the sender itself, or somebody it speaks for. */
const local = 0x20;
const proxied = 0x21;
/** A stream over IPv4 or IPv6. */
const families = { 2: 0x11, 8: 0x21 } as const;

function binaryHeader(ends: Ends | undefined): Uint8Array {
  if (ends === undefined) return Buffer.concat([signature, Buffer.from([local, 0, 0, 0])]);
  const words = [...ends.source, ...ends.destination, ...ends.ports];
  const body = Buffer.alloc(words.length * 2);
  for (const [at, word] of words.entries()) body.writeUInt16BE(word, at * 2);
  const family = ends.source.length === 2 ? families[2] : families[8];
  return Buffer.concat([signature, Buffer.from([proxied, family, 0, body.length]), body]);
}
