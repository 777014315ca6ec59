import { expect, test } from "bun:test";
import { IpRanges } from "../kit/ip-range.ts";
import { findClient } from "./forwarded-for.ts";
import { HeaderList } from "./headers.ts";

const trusted = IpRanges.parse(["10.0.0.0/8", "fd00::/8"]);

const cases: readonly [says: string, peer: string, chain: readonly string[], client: string][] = [
  ["nobody but the peer is believed in", "9.9.9.9", ["1.1.1.1"], "9.9.9.9:5"],
  ["a trusted peer without the header is the client", "10.0.0.1", [], "10.0.0.1:5"],
  ["the last entry is the one the trusted peer wrote", "10.0.0.1", ["6.6.6.6, 1.1.1.1"], "1.1.1.1:0"],
  ["trusted entries are passed over", "10.0.0.1", ["6.6.6.6, 1.1.1.1,10.0.0.2 ", "fd00::1"], "1.1.1.1:0"],
  ["a chain of trusted addresses alone ends at its first", "10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3:0"],
  ["an entry that is no address ends the search", "10.0.0.1", ["1.1.1.1, unknown"], "10.0.0.1:5"],
  ["an empty entry ends the search", "10.0.0.1", ["1.1.1.1,,10.0.0.2"], "10.0.0.2:0"],
  ["ports are read", "10.0.0.1", ["1.1.1.1:80"], "1.1.1.1:80"],
  ["brackets are read", "::ffff:10.0.0.1", ["[2001:DB8::1]:80"], "2001:db8::1:80"],
];
for (const [says, peer, chain, client] of cases) {
  test(says, () => {
    const headers = HeaderList.from(chain.map((value) => ["X-Forwarded-For", value] as const));
    const found = findClient({ address: peer, port: 5 }, headers, trusted);
    expect(`${found.address}:${found.port}`).toBe(client);
  });
}
