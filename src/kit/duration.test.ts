import { expect, test } from "bun:test";
import { formatDuration, parseDuration } from "./duration.ts";

test.each([
  ["30s", 30_000],
  ["250ms", 250],
  ["5m", 300_000],
  ["1h", 3_600_000],
  ["1d", 86_400_000],
  ["1h30m", 5_400_000],
  ["1.5s", 1500],
  ["0.1s", 100],
  ["0s", 0],
  ["off", 0],
])("%s is a duration", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(["", "30", "s", "-1s", "1 s", "1S", "1.5ms", "1w", "30s ", "1e3s", "on", "1.s"])(
  "%p is no duration",
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);

test("what is written is read back", () => {
  for (const ms of [0, 1, 250, 999, 1000, 1001, 59_999, 60_000, 5_400_000, 90_061_001]) {
    expect(parseDuration(formatDuration(ms))).toBe(ms);
  }
  expect(formatDuration(90_061_001)).toBe("1d1h1m1s1ms");
  expect(formatDuration(0)).toBe("off");
});
