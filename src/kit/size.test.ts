import { expect, test } from "bun:test";
import { formatSize, parseSize } from "./size.ts";

test.each([
  ["0B", 0],
  ["512B", 512],
  ["8KB", 8192],
  ["64KB", 65_536],
  ["1MB", 1_048_576],
  ["1.5GB", 1_610_612_736],
])("%s is a size", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(["", "64", "KB", "64K", "64kb", "-1KB", "1 KB", "0.3B", "1TB", "9999999999999GB"])(
  "%p is no size",
  (text) => {
    expect(parseSize(text)).toBeUndefined();
  },
);

test("what is written is read back", () => {
  for (const bytes of [0, 1, 1000, 1024, 8192, 1_048_576, 1_610_612_736]) {
    expect(parseSize(formatSize(bytes))).toBe(bytes);
  }
  expect(formatSize(65_536)).toBe("64KB");
  expect(formatSize(1000)).toBe("1000B");
});
