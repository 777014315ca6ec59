import { expect, test } from "bun:test";
import { readProxyHeader } from "./read-proxy-header.ts";

const signature = "0d0a0d0a000d0a515549540a";

function binary(hex: string): Buffer {
  return Buffer.from(signature + hex.replaceAll(" ", ""), "hex");
}

const whole = [
  {
    name: "TCP4",
    bytes: Buffer.from("PROXY TCP4 1.2.3.4 5.6.7.8 65535 80\r\n"),
    source: { address: "1.2.3.4", port: 65535 },
  },
  {
    name: "TCP6",
    bytes: Buffer.from("PROXY TCP6 2001:db8:0:0:0:0:0:1 ::1 1 80\r\n"),
    source: { address: "2001:db8::1", port: 1 },
  },
  { name: "UNKNOWN", bytes: Buffer.from("PROXY UNKNOWN\r\n"), source: undefined },
  { name: "UNKNOWN with words", bytes: Buffer.from("PROXY UNKNOWN ffff:: x 1 2\r\n"), source: undefined },
  {
    name: "v2 IPv4",
    bytes: binary("21 11 000c 01020304 05060708 ffff 0050"),
    source: { address: "1.2.3.4", port: 65535 },
  },
  {
    name: "v2 IPv6 with more behind the addresses",
    bytes: binary(`21 21 0027 20010db8${"0".repeat(22)}01 ${"0".repeat(31)}1 0001 0050 040000`),
    source: { address: "2001:db8::1", port: 1 },
  },
  { name: "v2 LOCAL", bytes: binary("20 00 0000"), source: undefined },
  { name: "v2 of a Unix socket", bytes: binary(`21 31 00d8 ${"00".repeat(216)}`), source: undefined },
];

test.each(whole)("$name is read, and what stands behind it is left", ({ bytes, source }) => {
  const header = readProxyHeader(Buffer.concat([bytes, Buffer.from("GET /")]));
  expect(header).toEqual({ kind: "whole", source, length: bytes.length });
});

test.each(whole)("$name is waited for, however it is cut, and never for more than is missing", ({ bytes }) => {
  for (let length = 0; length < bytes.length; length++) {
    const header = readProxyHeader(bytes.subarray(0, length));
    if (header.kind !== "partial") throw new Error(`${length} bytes are ${header.kind}`);
    expect(header.missing).toBeGreaterThan(0);
    expect(header.missing).toBeLessThanOrEqual(bytes.length - length);
  }
});

test.each([
  "GET / HTTP/1.1\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
  "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n",
  "PROXY TCP4 ::1 5.6.7.8 1 2\r\n",
  "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
  "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
  "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
  `PROXY TCP4 ${"1".repeat(200)}`,
  "\x16\x03\x01\x02\x00",
])("%j is no header", (text) => {
  expect(readProxyHeader(Buffer.from(text, "latin1"))).toEqual({ kind: "none" });
});

test.each([
  "11 11 000c 01020304 05060708 ffff 0050",
  "22 11 000c 01020304 05060708 ffff 0050",
  "21 11 000b 01020304 05060708 ffff 00",
  "21 11 ffff 01020304",
])("version 2 of %s is no header", (hex) => {
  expect(readProxyHeader(binary(hex))).toEqual({ kind: "none" });
});
