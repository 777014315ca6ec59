import { expect, test } from "bun:test";
import { HeaderList } from "../../core/headers.ts";
import { ConnectionFault } from "./frames.ts";
import { HeaderDecoder } from "./header-decoder.ts";
import { encodeHeaders } from "./header-encoder.ts";

function decode(decoder: HeaderDecoder, block: Buffer): string[] {
  const fields: string[] = [];
  decoder.decode(block, { onField: (name, value) => fields.push(`${name}: ${value}`) });
  return fields;
}

test("the requests of RFC 7541 C.4 are read one after the other, with what the table has learned", () => {
  const decoder = new HeaderDecoder();
  const first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
  expect(decode(decoder, Buffer.from("828684418cf1e3c2e5f23a6ba0ab90f4ff", "hex"))).toEqual(first);
  expect(decode(decoder, Buffer.from("828684be5886a8eb10649cbf", "hex"))).toEqual([
    ...first,
    "cache-control: no-cache",
  ]);
  expect(decode(decoder, Buffer.from("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", "hex"))).toEqual([
    ":method: GET",
    ":scheme: https",
    ":path: /index.html",
    ":authority: www.example.com",
    "custom-key: custom-value",
  ]);
});

test("a smaller table forgets the oldest entries", () => {
  const decoder = new HeaderDecoder();
  const add = (name: string) => Buffer.concat([Buffer.of(0x40, 1), Buffer.from(name), Buffer.of(1), Buffer.from("v")]);
  decode(decoder, Buffer.concat([add("a"), add("b")]));
  expect(decode(decoder, Buffer.of(0xbe, 0xbf))).toEqual(["b: v", "a: v"]);
  // 34 bytes are room for one entry of two characters.
  expect(decode(decoder, Buffer.of(0x3f, 34 - 31, 0xbe))).toEqual(["b: v"]);
  expect(() => decode(decoder, Buffer.of(0xbf))).toThrow(ConnectionFault);
});

test.each([
  ["an index of 0", "80"],
  ["an index that leads nowhere", "be"],
  ["a table that is larger than what was offered", "3fe2ff03"],
  ["a table size behind a field", "8220"],
  ["a number without end", "ffffffffffffffff"],
  ["a text that is longer than its block", "000461"],
  ["a block that ends inside a field", "0001"],
])("%s is a fault of the connection", (_, hex) => {
  expect(() => decode(new HeaderDecoder(), Buffer.from(hex, "hex"))).toThrow(ConnectionFault);
});

test("what is written can be read, without the fields that HTTP/2 does not have", () => {
  const headers = HeaderList.from([
    ["Content-Type", "text/plain"],
    ["Connection", "close"],
    ["Set-Cookie", "a=1"],
    ["Set-Cookie", "b=ä"],
    ["X-Long", "x".repeat(5000)],
  ]);
  expect(decode(new HeaderDecoder(), encodeHeaders(headers, 204))).toEqual([
    ":status: 204",
    "content-type: text/plain",
    "set-cookie: a=1",
    "set-cookie: b=ä",
    `x-long: ${"x".repeat(5000)}`,
  ]);
  expect(decode(new HeaderDecoder(), encodeHeaders(new HeaderList(), 418))).toEqual([":status: 418"]);
});
