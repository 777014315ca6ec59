import { describe, expect, test } from "bun:test";
import { timed } from "../../test/support/cpu-time.ts";
import { parseTarget } from "./request-target.ts";
import { targetCases } from "./testdata/targets.ts";

describe("parseTarget", () => {
  for (const expected of targetCases) {
    const name = JSON.stringify(expected.raw.slice(0, 60));
    if ("problem" in expected) {
      test(`${name} is refused`, () => {
        expect(parseTarget(expected.raw)).toEqual({ problem: expect.stringContaining(expected.problem) });
      });
    } else {
      test(`${name} is matched as ${JSON.stringify(expected.normalPath.slice(0, 60))}`, () => {
        const mark = expected.raw.indexOf("?");
        const path = mark < 0 ? expected.raw : expected.raw.slice(0, mark);
        expect(parseTarget(expected.raw)).toEqual({ path, query: expected.query, normalPath: expected.normalPath });
      });
    }
  }

  test("the table has about 200 different targets", () => {
    expect(new Set(targetCases.map((item) => item.raw)).size).toBe(targetCases.length);
    expect(targetCases.length).toBeGreaterThanOrEqual(200);
  });

  test("what is accepted has no dot segment for a reader that decodes once, and is its own normal form", () => {
    for (const item of targetCases) {
      const target = parseTarget(item.raw);
      if ("problem" in target) continue;
      const segments = decodeURIComponent(target.path.replace(/%[89A-F][0-9A-F]/gi, "x")).split("/");
      for (const segment of segments) expect(["..", "."]).not.toContain(segment.split(";")[0] as string);
      expect(parseTarget(target.normalPath)).toMatchObject({ normalPath: target.normalPath });
    }
  });

  test("a hostile target of a megabyte takes no longer than reading it", () => {
    for (const part of ["/%2e", "/.", "%2F;", "%61", "/..a", ";."]) {
      const { ms } = timed(() => parseTarget(`/x${part.repeat(1_000_000 / part.length)}`));
      expect(ms).toBeLessThan(500);
    }
  });
});
