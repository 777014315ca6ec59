import { expect, test } from "bun:test";
import { randomText } from "./random.ts";

test("random text has the length of its encoding, and never comes twice", () => {
  const texts = Array.from({ length: 10_000 }, () => randomText(8, "hex"));
  for (const text of texts) expect(text).toMatch(/^[0-9a-f]{16}$/);
  expect(new Set(texts).size).toBe(texts.length);
  expect(randomText(16, "base64")).toMatch(/^[A-Za-z0-9+/]{22}==$/);
});
