import { describe, expect, test } from "bun:test";
import { LatencyHistogram, median, spread } from "./statistics.ts";

describe("median", () => {
  test("an odd number of values has its middle one as median, whatever their order", () => {
    expect(median([9, 1, 5])).toBe(5);
  });

  test("an even number of values has the mean of the two middle ones", () => {
    expect(median([4, 1, 3, 100])).toBe(3.5);
  });

  test("nothing has no median", () => {
    expect(median([])).toBeNaN();
  });
});

describe("spread", () => {
  test("the spread is the range as a share of the median", () => {
    expect(spread([9, 10, 12])).toBeCloseTo(0.3);
  });

  test("outer quarters are left out", () => {
    expect(spread([100, 1, 9, 10, 10, 11, 12, 0])).toBeCloseTo(0.2);
  });

  test("one value has no spread", () => {
    expect(spread([7])).toBe(0);
  });
});

describe("LatencyHistogram", () => {
  test("small latencies are counted exactly", () => {
    const histogram = new LatencyHistogram();
    for (let micros = 1; micros <= 100; micros++) histogram.record(micros);
    expect(histogram.percentile(0.5)).toBe(50);
    expect(histogram.percentile(0.99)).toBe(99);
    expect(histogram.total).toBe(100);
  });

  test.each([127, 128, 129, 1000, 4095, 4096, 65_537, 1_234_567, 2 ** 29])(
    "a latency of %p µs comes back at most 1.6 % too long",
    (micros) => {
      const histogram = new LatencyHistogram();
      histogram.record(micros);
      expect(histogram.percentile(0.5)).toBeGreaterThanOrEqual(micros);
      expect(histogram.percentile(0.5)).toBeLessThanOrEqual(micros * 1.016);
    },
  );

  test("latencies beyond the last bucket and below zero are counted and harm nothing", () => {
    const histogram = new LatencyHistogram();
    histogram.record(2 ** 40);
    histogram.record(-1);
    expect(histogram.total).toBe(2);
    expect(histogram.percentile(0.5)).toBe(0);
    expect(histogram.percentile(1)).toBeGreaterThan(2 ** 29);
  });

  test("a reset histogram has forgotten everything", () => {
    const histogram = new LatencyHistogram();
    histogram.record(5);
    histogram.reset();
    expect(histogram.total).toBe(0);
    expect(histogram.percentile(0.5)).toBe(0);
  });
});
