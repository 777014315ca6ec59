import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../test/support/until.ts";
import { OwnedFolder } from "../kit/owned-folder.ts";

const program = `import { tether } from ${JSON.stringify(`${import.meta.dir}/tether.ts`)};
process.exitCode = await tether(process.argv.slice(1));`;

// Says its pid, then waits; on SIGTERM it says so and ends with 7.
const child = `process.on("SIGTERM", () => { console.log("told"); process.exit(7); });
console.log(process.pid); setInterval(() => {}, 1000);`;

function start(args: readonly string[]) {
  return Bun.spawn([process.execPath, "-e", program, "--", parent, ...args], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function firstLine(stream: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const { value } = await stream.read();
  return new TextDecoder().decode(value).trim();
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

let parent = "";
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "tether-"));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

test("the program gets SIGTERM when stdin ends, and its exit code is passed on", async () => {
  const tethered = start([process.execPath, "-e", child]);
  const output = tethered.stdout.getReader();
  const pid = Number(await firstLine(output));
  expect(isAlive(pid)).toBe(true);
  tethered.stdin.end();
  expect(await firstLine(output)).toBe("told");
  expect(await tethered.exited).toBe(7);
  await until(() => !isAlive(pid));
});

test("SIGTERM is passed on", async () => {
  const tethered = start([process.execPath, "-e", child]);
  const output = tethered.stdout.getReader();
  await firstLine(output);
  tethered.kill("SIGTERM");
  expect(await firstLine(output)).toBe("told");
  expect(await tethered.exited).toBe(7);
});

test("a program that ends by itself ends the tether", async () => {
  const tethered = start([process.execPath, "-e", "process.exit(3)"]);
  expect(await tethered.exited).toBe(3);
});

test("the folder of a starter that lives stays, that of a dead one goes", async () => {
  for (const [owner, isLeft] of [
    [process.pid, true],
    [999_999_999, false],
  ] as const) {
    using folder = OwnedFolder.make(parent, "a-");
    const file = join(folder.path, "owner");
    writeFileSync(file, readFileSync(file, "utf8").replace(String(process.pid), String(owner)));
    const tethered = Bun.spawn([process.execPath, "-e", program, "--", folder.path, "true"], { stdin: "pipe" });
    await tethered.exited;
    expect(existsSync(folder.path)).toBe(isLeft);
  }
});

test("without a program it is wrong use", async () => {
  const tethered = start([]);
  expect(await tethered.exited).toBe(2);
  expect(await new Response(tethered.stderr).text()).toContain("usage: causeway tether");
});
