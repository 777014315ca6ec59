import { expect, test } from "bun:test";
import { countedAddress, formatPeer, parsePeer } from "./peer-text.ts";

test.each([
  ["192.0.2.7:50007", "192.0.2.7", 50_007],
  ["[2001:db8::1]:443", "2001:db8::1", 443],
  ["192.0.2.7", "192.0.2.7", 0],
  ["2001:db8::1", "2001:db8::1", 0],
  ["", "", 0],
])("%p is %s with port %i, and back", (text, address, port) => {
  expect(parsePeer(text)).toEqual({ address, port });
  expect(formatPeer({ address, port })).toBe(text);
});

test("a client is counted as one, however its address is spelled", () => {
  const spellings = ["192.0.2.7", "::ffff:192.0.2.7", "::FFFF:C000:0207"];
  expect(new Set(spellings.map((address) => countedAddress({ address, port: 1 }))).size).toBe(1);
  expect(countedAddress({ address: "", port: 0 })).toBe("");
});
