import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SourceState } from "../../core/configuration.ts";
import { sleep, within } from "../../kit/sleep.ts";
import { FileSource } from "./file-source.ts";
import type { Pace } from "./settle.ts";

let folder = "";
let stop = new AbortController();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "causeway-source-"));
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await rm(folder, { recursive: true, force: true });
});

const at = (name: string): string => join(folder, name);

/** The usual pace, ten times as fast. */
const quick: Pace = { pollMs: 25, settleMs: 10, patienceMs: 50 };

function watch(...paths: string[]) {
  return watchSource(new FileSource(paths, quick));
}

function watchSource(source: FileSource) {
  const states = source.watch(stop.signal);
  return {
    async next(): Promise<SourceState> {
      const result = await within(states.next(), 3000, undefined);
      if (result === undefined || result.done) throw new Error("no state came within 3 s");
      return result.value;
    },
    states,
  };
}

/** `name: text` of every text, with names relative to the folder. */
function shown(state: SourceState): readonly string[] {
  return state.texts.map(({ source, text }) => `${source.slice(folder.length + 1)}: ${text}`);
}

test("the first state comes at once and names files as they were given", async () => {
  await writeFile(at("a.yaml"), "one");
  const state = await watch(at("a.yaml")).next();
  expect(state).toEqual({ texts: [{ source: at("a.yaml"), text: "one" }], issues: [] });
});

test("a folder gives its YAML files in order, without hidden ones and without those of folders below", async () => {
  await mkdir(at("below.yaml"));
  for (const name of ["b.yml", "a.yaml", ".hidden.yaml", "c.txt", "below.yaml/d.yaml"]) await writeFile(at(name), name);
  const state = await watch(folder).next();
  expect(shown(state)).toEqual(["a.yaml: a.yaml", "b.yml: b.yml"]);
  expect(state.issues).toEqual([]);
});

test("a saved change is seen within a second", async () => {
  await writeFile(at("a.yaml"), "one");
  const watched = watchSource(new FileSource([at("a.yaml")]));
  await watched.next();
  const next = watched.next();
  const savedAt = performance.now();
  await writeFile(at("a.yaml"), "two");
  expect(shown(await next)).toEqual(["a.yaml: two"]);
  expect(performance.now() - savedAt).toBeLessThan(1000);
});

test("a file that an editor replaces by renaming is seen, and watched on", async () => {
  await writeFile(at("a.yaml"), "one");
  const watched = watch(at("a.yaml"));
  await watched.next();
  for (const text of ["two", "six"]) {
    const next = watched.next();
    await writeFile(at("a.yaml~"), text);
    await rename(at("a.yaml~"), at("a.yaml"));
    expect(shown(await next)).toEqual([`a.yaml: ${text}`]);
  }
});

test("the link swap of a Kubernetes ConfigMap is seen", async () => {
  for (const version of ["..v1", "..v2"]) {
    await mkdir(at(version));
    await writeFile(at(`${version}/a.yaml`), version);
  }
  await symlink("..v1", at("..data"));
  await symlink("..data/a.yaml", at("a.yaml"));
  const watched = watch(folder);
  expect(shown(await watched.next())).toEqual(["a.yaml: ..v1"]);
  const next = watched.next();
  await symlink("..v2", at("..data_tmp"));
  await rename(at("..data_tmp"), at("..data"));
  expect(shown(await next)).toEqual(["a.yaml: ..v2"]);
});

test("a file that is deleted is an issue, until it is there again", async () => {
  await writeFile(at("a.yaml"), "one");
  const watched = watch(at("a.yaml"));
  await watched.next();
  let next = watched.next();
  await rm(at("a.yaml"));
  const gone = await next;
  expect(gone.texts).toEqual([]);
  expect(gone.issues).toMatchObject([
    { severity: "error", at: { source: at("a.yaml") }, says: "there is no such file" },
  ]);
  next = watched.next();
  await writeFile(at("a.yaml"), "one");
  expect(shown(await next)).toEqual(["a.yaml: one"]);
});

test("new and removed files of a folder are seen", async () => {
  await writeFile(at("b.yaml"), "b");
  const watched = watch(folder);
  await watched.next();
  let next = watched.next();
  await writeFile(at("a.yaml"), "a");
  expect(shown(await next)).toEqual(["a.yaml: a", "b.yaml: b"]);
  next = watched.next();
  await rm(at("b.yaml"));
  expect(shown(await next)).toEqual(["a.yaml: a"]);
});

test("a file that is written in steps is read when it is complete", async () => {
  await writeFile(at("a.yaml"), "old");
  const watched = watchSource(new FileSource([at("a.yaml")], { pollMs: 10, settleMs: 100, patienceMs: 2000 }));
  await watched.next();
  const next = watched.next();
  await writeFile(at("a.yaml"), "");
  for (const part of ["a", "b", "c", "d"]) {
    await sleep(20);
    await appendFile(at("a.yaml"), part);
  }
  expect(shown(await next)).toEqual(["a.yaml: abcd"]);
});

test("a file that never keeps still is read all the same", async () => {
  await writeFile(at("a.yaml"), "");
  const watched = watch(at("a.yaml"));
  await watched.next();
  const next = watched.next();
  let isSeen = false;
  const writing = (async () => {
    for (let round = 0; round < 400 && !isSeen; round++) {
      await appendFile(at("a.yaml"), "x");
      await sleep(5);
    }
  })();
  expect(shown(await next)[0]).toStartWith("a.yaml: x");
  isSeen = true;
  await writing;
});

test("a file that was only touched is no change", async () => {
  await writeFile(at("a.yaml"), "one");
  const watched = watch(at("a.yaml"));
  await watched.next();
  const next = watched.next();
  await utimes(at("a.yaml"), new Date(0), new Date(0));
  expect(await within(next, 150, "nothing")).toBe("nothing");
  await writeFile(at("a.yaml"), "two");
  expect(shown(await next)).toEqual(["a.yaml: two"]);
});

test("files that have not changed are read again when somebody asks", async () => {
  await writeFile(at("a.yaml"), "one");
  const source = new FileSource([at("a.yaml")], quick);
  const watched = watchSource(source);
  await watched.next();
  const next = watched.next();
  source.refresh();
  expect(shown(await next)).toEqual(["a.yaml: one"]);
});

test("what is no readable text is an issue with its name", async () => {
  await writeFile(at("latin.yaml"), Uint8Array.of(0x61, 0xe4, 0x62));
  await mkdir(at("empty"));
  const state = await watch(at("missing.yaml"), at("latin.yaml"), at("empty"), "/dev/null").next();
  expect(state.issues.map(({ at, says }) => `${at.source.replace(`${folder}/`, "")}: ${says}`)).toEqual([
    "missing.yaml: there is no such file",
    "latin.yaml: this is not UTF-8",
    "empty: this folder holds no *.yaml and no *.yml",
    "/dev/null: this is neither a file nor a folder",
  ]);
});

test("watching ends with its signal", async () => {
  await writeFile(at("a.yaml"), "one");
  const watched = watch(at("a.yaml"));
  await watched.next();
  const end = watched.states.next();
  stop.abort();
  expect(await within(end, 1000, undefined)).toEqual({ done: true, value: undefined });
});
