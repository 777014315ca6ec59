import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../test/support/until.ts";
import { guestsOf, OwnedFolder, quitFolder, removeOrphan, removeOrphans, visitFolder } from "./owned-folder.ts";

let parent = "";

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "owned-"));
});

afterEach(() => rmSync(parent, { recursive: true, force: true }));

/** A process that makes a folder and is then killed; resolves to the folder. */
async function killedOwner(): Promise<string> {
  const program = `import { OwnedFolder } from ${JSON.stringify(`${import.meta.dir}/owned-folder.ts`)};
    console.log(OwnedFolder.make(process.argv[1], "a-").path); setInterval(() => {}, 1000);`;
  const owner = Bun.spawn([process.execPath, "-e", program, parent], { stdout: "pipe", stdin: "ignore" });
  const { value } = await owner.stdout.getReader().read();
  owner.kill("SIGKILL");
  await owner.exited;
  return new TextDecoder().decode(value).trim();
}

test("a folder is only for its user, and goes with its owner", () => {
  const folder = OwnedFolder.make(parent, "a-");
  expect(statSync(folder.path).mode & 0o777).toBe(0o700);
  folder[Symbol.dispose]();
  expect(existsSync(folder.path)).toBe(false);
});

test("the folder of a living owner stays", async () => {
  using folder = OwnedFolder.make(parent, "a-");
  await removeOrphans(parent, "a-");
  expect(removeOrphan(folder.path)).toBe(false);
  expect(existsSync(folder.path)).toBe(true);
});

test("the folder of a killed owner is removed by the next one who looks", async () => {
  const path = await killedOwner();
  expect(existsSync(path)).toBe(true);
  await removeOrphans(parent, "b-");
  expect(existsSync(path)).toBe(true);
  await removeOrphans(parent, "a-");
  expect(existsSync(path)).toBe(false);
  expect(removeOrphan(path)).toBe(true);
});

test("a number that now belongs to another process does not keep a folder", () => {
  using folder = OwnedFolder.make(parent, "a-");
  const owner = join(folder.path, "owner");
  const [pid, startedAt, namespace] = readFileSync(owner, "utf8").split(" ");
  writeFileSync(owner, `${pid} ${Number(startedAt) - 1} ${namespace}`);
  expect(removeOrphan(folder.path)).toBe(true);
});

test("an owner in another container counts as alive", () => {
  using folder = OwnedFolder.make(parent, "a-");
  writeFileSync(join(folder.path, "owner"), "999999999 1 pid:[1]");
  expect(removeOrphan(folder.path)).toBe(false);
});

test("an owner that has ended but that nobody has waited for is dead", async () => {
  const zombie = `import { OwnedFolder } from ${JSON.stringify(`${import.meta.dir}/owned-folder.ts`)};
    console.log(OwnedFolder.make(process.argv[1], "a-").path); process.kill(process.pid, "SIGKILL");`;
  // exec makes the shell's child a child of `sleep`, which waits for nobody.
  const shell = Bun.spawn(["sh", "-c", '"$@" & exec sleep 20', "sh", process.execPath, "-e", zombie, parent], {
    stdout: "pipe",
  });
  const { value } = await shell.stdout.getReader().read();
  const path = new TextDecoder().decode(value).trim();
  await until(() => removeOrphan(path));
  shell.kill("SIGKILL");
  await shell.exited;
});

test("what does not say whose it is, and what is no folder, is left alone", () => {
  const stranger = join(parent, "a-stranger");
  mkdirSync(stranger);
  using folder = OwnedFolder.make(parent, "b-");
  writeFileSync(join(folder.path, "owner"), "999999999 1 ");
  const link = join(parent, "a-link");
  symlinkSync(folder.path, link);
  expect([removeOrphan(stranger), removeOrphan(link)]).toEqual([false, false]);
  expect([existsSync(stranger), existsSync(folder.path)]).toEqual([true, true]);
});

test("a folder outlives its owner for as long as it has a guest", async () => {
  const path = await killedOwner();
  visitFolder(path, "b");
  expect(guestsOf(path).map(({ name }) => name)).toEqual(["b"]);
  expect(removeOrphan(path)).toBe(false);
  quitFolder(path, "b");
  expect(removeOrphan(path)).toBe(true);
});

test("the folder of a dead owner can be taken over, once", async () => {
  const path = await killedOwner();
  using folder = OwnedFolder.takeOver(path);
  expect(folder?.path).toBe(path);
  expect(OwnedFolder.takeOver(path)).toBeUndefined();
  expect(removeOrphan(path)).toBe(false);
});

test("the folder of a living owner, and one that is not there, cannot be taken over", () => {
  using folder = OwnedFolder.make(parent, "a-");
  expect(OwnedFolder.takeOver(folder.path)).toBeUndefined();
  expect(OwnedFolder.takeOver(join(parent, "nothing"))).toBeUndefined();
});
