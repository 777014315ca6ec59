import { expect, test } from "bun:test";
import { decodeHuffman } from "./huffman.ts";

// RFC 7541, Appendix C.4 and C.6.
const samples = [
  ["f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"],
  ["a8eb10649cbf", "no-cache"],
  ["25a849e95ba97d7f", "custom-key"],
  ["25a849e95bb8e8b4bf", "custom-value"],
  ["6402", "302"],
  ["aec3771a4b", "private"],
  ["d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"],
  ["9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"],
  [
    "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ],
] as const;

test.each(samples)("%s is read as %s", (hex, text) => {
  const bytes = Buffer.from(hex, "hex");
  expect(decodeHuffman(bytes, 0, bytes.length)).toBe(text);
});

test.each([
  ["fffff", "padding of more than seven bits"],
  ["ffffffff", "the end of the text inside it"],
  ["00", "padding that is not all ones"],
  ["1fff", "a whole byte of padding"],
])("%s is refused: %s", (hex) => {
  const bytes = Buffer.from(hex.padEnd(Math.ceil(hex.length / 2) * 2, "f"), "hex");
  expect(decodeHuffman(bytes, 0, bytes.length)).toBeUndefined();
});

test("a code that is as long as any gives a character beyond ASCII", () => {
  expect(decodeHuffman(Uint8Array.of(0xff, 0xff, 0xff, 0xf3), 0, 4)).toBe("\n");
});
