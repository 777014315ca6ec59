import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { goldenCases, goldenFile, goldenOutputs } from "./golden-cases.ts";

const cases = goldenCases();

for (const { name, files } of cases) {
  test(`${name} is read as its golden files say (npm run golden rewrites them)`, () => {
    for (const [file, content] of files) {
      expect(existsSync(goldenFile(file)) ? readFileSync(goldenFile(file), "utf8") : `no ${file}`).toBe(content);
    }
  });
}

test("there is a case for every golden file, and there are enough of them", () => {
  const expected = cases.flatMap(({ files }) => [...files.keys()]);
  expect([...goldenOutputs()].sort()).toEqual(expected.sort());
  expect(cases.length).toBeGreaterThanOrEqual(25);
});
