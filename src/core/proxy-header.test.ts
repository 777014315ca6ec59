import { expect, test } from "bun:test";
import { proxyHeader } from "./proxy-header.ts";

const four = { source: { address: "192.0.2.7", port: 50_001 }, destination: { address: "10.0.0.1", port: 443 } };
const six = { source: { address: "2001:db8::7", port: 1 }, destination: { address: "::1", port: 65_535 } };
const mixed = { source: { address: "192.0.2.7", port: 0 }, destination: { address: "::1", port: 80 } };
const unknown = { source: { address: "192.0.2.7", port: 5 }, destination: undefined };
const mapped = { source: { address: "::ffff:192.0.2.7", port: 5 }, destination: { address: "127.0.0.1", port: 6 } };

const lines = [
  ["IPv4", four, "PROXY TCP4 192.0.2.7 10.0.0.1 50001 443\r\n"],
  ["IPv6", six, "PROXY TCP6 2001:db8:0:0:0:0:0:7 0:0:0:0:0:0:0:1 1 65535\r\n"],
  ["an end of each family", mixed, "PROXY TCP6 0:0:0:0:0:ffff:c000:207 0:0:0:0:0:0:0:1 0 80\r\n"],
  ["a destination that nobody knows", unknown, "PROXY TCP4 192.0.2.7 0.0.0.0 5 0\r\n"],
  ["an IPv4 address in the form of an IPv6 one", mapped, "PROXY TCP4 192.0.2.7 127.0.0.1 5 6\r\n"],
  ["nobody", undefined, "PROXY UNKNOWN\r\n"],
] as const;

test.each(lines)("v1 for %s is a line", (_, connection, line) => {
  expect(Buffer.from(proxyHeader("v1", connection)).toString()).toBe(line);
});

const start = "0d0a0d0a000d0a515549540a";
const bytes = [
  ["IPv4", four, `${start}2111000cc00002070a000001c35101bb`],
  ["IPv6", six, `${start}2121002420010db8${"0".repeat(20)}0007${"0".repeat(31)}10001ffff`],
  ["nobody", undefined, `${start}20000000`],
] as const;

test.each(bytes)("v2 for %s is bytes", (_, connection, hex) => {
  expect(Buffer.from(proxyHeader("v2", connection)).toString("hex")).toBe(hex);
});
