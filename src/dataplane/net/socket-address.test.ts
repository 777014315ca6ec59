import { expect, test } from "bun:test";
import { SocketAddress } from "./socket-address.ts";
import { systemCalls } from "./system-calls.ts";

const address = new SocketAddress(systemCalls());

test.each([
  ["127.0.0.1", 80, 16],
  ["255.255.255.255", 65_535, 16],
  ["::1", 443, 28],
  ["2001:db8::ff00:42:8329", 8080, 28],
  ["::ffff:192.0.2.1", 1, 28],
] as const)("%s, port %d, is what was put there, whatever stood there before", (host, port, length) => {
  address.put("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 65_535);
  expect(address.put(host, port)).toMatchObject({ length, isIpv6: host.includes(":") });
  expect(address.take()).toEqual({ address: host, port });
});

test.each(["localhost", "", "1.2.3", "1.2.3.4.5", "fe80::1%lo", "127.0.0.1\0x", ":::"])("%p is no address", (host) => {
  expect(address.put(host, 80)).toBeUndefined();
});

test("ten thousand addresses are all told apart", () => {
  for (let at = 0; at < 10_000; at++) {
    const host = `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
    address.put(host, at);
    expect(address.take()).toEqual({ address: host, port: at });
  }
});
