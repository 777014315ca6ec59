import { describe, expect, test } from "bun:test";
import { IpRanges, normalizeAddress, parseIpRange } from "./ip-range.ts";

describe("IpRanges", () => {
  const cases: readonly [range: string, address: string, isWithin: boolean][] = [
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.1.2.3/8", "10.9.9.9", true],
    ["192.168.1.128/25", "192.168.1.127", false],
    ["192.168.1.128/25", "192.168.1.128", true],
    ["0.0.0.0/0", "255.255.255.255", true],
    ["0.0.0.0/0", "::1", false],
    ["1.2.3.4", "1.2.3.4", true],
    ["1.2.3.4", "1.2.3.5", false],
    ["1.2.3.4", "::ffff:1.2.3.4", true],
    ["1.2.3.4", "::FFFF:102:304", true],
    ["::ffff:1.2.3.0/120", "1.2.3.77", true],
    ["::ffff:0:0/96", "9.9.9.9", true],
    ["::1", "0:0:0:0:0:0:0:1", true],
    ["fd00::/8", "fdff::1", true],
    ["fd00::/8", "fe00::1", false],
    ["2001:db8::/33", "2001:db8:7fff::1", true],
    ["2001:db8::/33", "2001:db8:8000::1", false],
    ["fe80::/10", "fe80::1%eth0", true],
    ["::/0", "1.2.3.4", false],
    ["::/0", "2001:db8::1", true],
    ["10.0.0.0/8", "10.0.0.1.evil", false],
    ["10.0.0.0/8", "", false],
  ];
  for (const [range, address, isWithin] of cases) {
    test(`${range} ${isWithin ? "contains" : "does not contain"} "${address}"`, () => {
      expect(IpRanges.parse([range]).contains(address)).toBe(isWithin);
    });
  }

  test("one of several blocks is enough, and none contain nothing", () => {
    const ranges = IpRanges.parse(["10.0.0.0/8", "fd00::/8", "192.168.0.1"]);
    expect(ranges.contains("192.168.0.1")).toBe(true);
    expect(ranges.contains("192.168.0.2")).toBe(false);
    expect(IpRanges.parse([]).contains("10.0.0.1")).toBe(false);
  });

  test("what is no block is named", () => {
    expect(() => IpRanges.parse(["10.0.0.0/8", "office"])).toThrow('"office"');
  });
});

test("only plain addresses and blocks are read", () => {
  const bad = ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "0x1.2.3.4", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1"];
  bad.push(
    "1.2.3.4/08",
    " 1.2.3.4",
    "1.2.3.4 ",
    "::1/129",
    ":::",
    "1::2::3",
    "::ffff:01.2.3.4",
    "[::1]",
    "a.b.c.d",
    "/8",
  );
  for (const text of bad) expect([text, parseIpRange(text)]).toEqual([text, undefined]);
});

test("equal addresses have one text", () => {
  expect(normalizeAddress("2001:DB8:0:0::1")).toBe("2001:db8::1");
  expect(normalizeAddress("::ffff:10.0.0.1")).toBe("10.0.0.1");
  expect(normalizeAddress("10.0.0.1")).toBe("10.0.0.1");
  expect(normalizeAddress("fe80::1%eth0")).toBe("fe80::1");
  expect(normalizeAddress("localhost")).toBeUndefined();
});
