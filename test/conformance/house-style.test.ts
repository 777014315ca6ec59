import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folders = ["src", "test", "bench", "scripts", "examples"];
const files = folders
  .flatMap((folder) => [...new Bun.Glob(`${folder}/**/*.ts`).scanSync(root)])
  .sort()
  .map((path) => ({ path, lines: readFileSync(join(root, path), "utf8").split("\n") }));
const sources = files.filter(({ path }) => path.startsWith("src/") && !/\.test\.ts$|\/testdata\//.test(path));

const mostLines = 400;
/** Files that are longer all the same, until somebody finds the second idea in them. */
const longer: readonly string[] = [];

test("no file is longer than 400 lines", () => {
  const found = files.filter(({ lines }) => lines.length > mostLines + 1);
  expect(found.map(({ path }) => path)).toEqual([...longer]);
});

test("files are named in kebab-case, after no thing that is not understood", () => {
  const names = files.map(({ path }) => basename(path).replace(/\.(long\.|golden\.)?(test\.)?ts$/, ""));
  expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
  expect(names.filter((name) => /\b(manager|helpers?|utils?|services?|impl|factory|data|info)\b/.test(name))).toEqual(
    [],
  );
});

test("every exported thing says in a comment what it is", () => {
  const silent = sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, at) => {
      const isExport = /^export (async |abstract )?(function|class|const|type|interface) ?\*?\w/.test(line);
      return isExport && !isExplained(lines, at) ? [`${path}:${at + 1}: ${line}`] : [];
    }),
  );
  expect(silent).toEqual([]);
});

/** A comment may stand above several constants that belong together, and a reason between it and what it explains. */
function isExplained(lines: readonly string[], at: number): boolean {
  const before = lines[at - 1] ?? "";
  return before.endsWith("*/") || (/^export const .*;$|^\/\/ /.test(before) && isExplained(lines, at - 1));
}

test("nothing is left to do later, and nothing is exported by default", () => {
  const found = files.flatMap(({ path, lines }) =>
    lines.flatMap((line, at) =>
      /\/\/ *(TODO|FIXME|XXX|HACK)\b|^export default\b/.test(line) ? [`${path}:${at + 1}: ${line.trim()}`] : [],
    ),
  );
  expect(found).toEqual([]);
});
