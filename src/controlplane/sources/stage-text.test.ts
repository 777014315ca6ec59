import { afterAll, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileSource } from "./file-source.ts";
import { stageText } from "./stage-text.ts";

const folder = mkdtempSync(join(tmpdir(), "causeway-stage-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "causeway.yaml");

beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  writeFileSync(path, "before\n");
});

async function stage(where = path) {
  const staged = await stageText(where, "after\n");
  if ("problem" in staged) throw new Error(staged.problem);
  return staged;
}

test("a text takes the place of a file at once, keeps its rights, and leaves nothing beside it", async () => {
  chmodSync(path, 0o640);
  const staged = await stage();
  expect(readFileSync(path, "utf8")).toBe("before\n");
  await staged.commit();
  expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual(["after\n", 0o640]);
  expect(readdirSync(folder)).toEqual(["causeway.yaml"]);
});

test("what is discarded leaves the file and nothing beside it", async () => {
  await (await stage()).discard();
  expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["before\n", ["causeway.yaml"]]);
});

test("a link stays a link", async () => {
  const link = join(folder, "link.yaml");
  symlinkSync(path, link);
  await (await stage(link)).commit();
  expect([lstatSync(link).isSymbolicLink(), readFileSync(path, "utf8")]).toEqual([true, "after\n"]);
});

test("only a single file can be written", async () => {
  expect(await stageText(folder, "x")).toEqual({ problem: `${folder} is no file` });
  expect(await stageText(join(folder, "gone.yaml"), "x")).toMatchObject({
    problem: expect.stringContaining("cannot be written"),
  });
  const several = new FileSource([path, join(folder, "other.yaml")]);
  expect(await several.stage("x")).toEqual({ problem: "the configuration comes from several files" });
  expect(await new FileSource([folder]).stage("x")).toEqual({ problem: `${folder} is no file` });
});
