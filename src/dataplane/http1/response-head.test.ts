import { expect, test } from "bun:test";
import { parseResponseHead } from "./response-head.ts";

for (const [line, reason] of [
  ["HTTP/1.1 200 OK", "OK"],
  ["HTTP/1.1 200 Very well indeed", "Very well indeed"],
  ["HTTP/1.1 200 ", ""],
  ["HTTP/1.1 200", ""],
] as const) {
  test(`the reason of "${line}" is "${reason}"`, () => {
    const bytes = Buffer.from(`${line}\r\nContent-Length: 0\r\n\r\n`, "latin1");
    expect(parseResponseHead(bytes, bytes.length - 2, "GET")).toMatchObject({ status: 200, reason });
  });
}
