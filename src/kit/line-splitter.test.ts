import { expect, test } from "bun:test";
import { LineSplitter } from "./line-splitter.ts";

function split(chunks: readonly Uint8Array[], limit = 1000): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter(limit, (line) => lines.push(line));
  for (const chunk of chunks) splitter.push(chunk);
  return lines;
}

test("lines come out whole wherever the stream was cut", () => {
  const bytes = Buffer.from('{"a":"ä€😀"}\n\n{"b":2}\nrest');
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(split([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(['{"a":"ä€😀"}', "", '{"b":2}']);
  }
});

test("the caller may reuse its buffer after push", () => {
  const buffer = Buffer.from("ab");
  const lines: string[] = [];
  const splitter = new LineSplitter(10, (line) => lines.push(line));
  splitter.push(buffer);
  buffer.fill(0x78);
  splitter.push(Buffer.from("c\n"));
  expect(lines).toEqual(["abc"]);
});

test("a line over the limit is an error, also without its newline", () => {
  expect(split([Buffer.from("12345\n")], 5)).toEqual(["12345"]);
  expect(() => split([Buffer.from("123456\n")], 5)).toThrow(RangeError);
  expect(() => split([Buffer.from("123"), Buffer.from("456")], 5)).toThrow(RangeError);
});
