import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import manifest from "../../package.json" with { type: "json" };
import { complaint } from "../../test/support/complaint.ts";
import { commands } from "./commands.ts";
import { selfCommand } from "./self.ts";

async function causeway(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([...selfCommand(), ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out, err };
}

test("help lists the commands that are for people", async () => {
  const { code, out } = await causeway("help");
  expect(code).toBe(0);
  for (const { name, isHidden } of commands) expect([name, out.includes(`\n  ${name} `)]).toEqual([name, !isHidden]);
});

test("without a command the help goes to standard error and the exit code is 2", async () => {
  const { code, out, err } = await causeway();
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain("usage: causeway <command>");
});

test("every command for people explains itself, in lines for every terminal", () => {
  for (const { name, isHidden, help = "" } of commands) {
    if (isHidden) continue;
    expect(help).toStartWith(`usage: causeway ${name}`);
    expect(help.split("\n").filter((line) => line.length > 80)).toEqual([]);
  }
});

test("a command that is asked for help says how it is used, wherever that is asked", async () => {
  const help = commands.find(({ name }) => name === "run")?.help ?? "";
  for (const args of [
    ["run", "--help"],
    ["help", "run"],
    ["run", "x.yaml", "-h"],
  ])
    expect(await causeway(...args)).toEqual({ code: 0, out: help, err: "" });
});

test("help of help is the help", async () => {
  expect(await causeway("help", "help")).toEqual(await causeway("--help"));
});

test("an unknown command gets the nearest one named", async () => {
  expect(await complaint("sesions")).toEqual({
    code: 2,
    out: "",
    err: 'causeway: there is no command "sesions"\nDid you mean: causeway sessions\n',
  });
  expect((await complaint("xyzzyxyzzy")).err).toContain("Try: causeway help");
  for (const name of ["__proto__", "constructor", "toString"]) expect((await complaint(name)).code).toBe(2);
});

test("version names the program's version and Bun's", async () => {
  const line = `causeway ${manifest.version} (Bun ${manifest.dependencies.bun})\n`;
  expect((await causeway("version")).out).toBe(line);
  expect((await causeway("--version")).out).toBe(line);
});

test("wrong options are wrong use", async () => {
  expect(await causeway("run")).toMatchObject({ code: 2, err: expect.stringContaining("causeway run --help") });
  expect((await complaint("run", "--nope", "x.yaml")).code).toBe(2);
  for (const args of [
    ["sessions", "--limit"],
    ["version", "x"],
    ["schema", "x"],
    ["demo", "x"],
    ["demo", "--host", "x"],
  ]) {
    const { code, out, err } = await complaint(...args);
    expect([code, out, err.split("\n").length]).toEqual([2, "", 3]);
    expect(err).toEndWith(`Try: causeway ${args[0]} --help\n`);
  }
});

const script = fileURLToPath(new URL("../../bin/causeway", import.meta.url));

test.each([
  ["the program", selfCommand()],
  ["bin/causeway", [script]],
])("%s takes nothing from Bun's files in the folder where it is started", async (_, command) => {
  const folder = mkdtempSync(`${tmpdir()}/causeway-folder-`);
  writeFileSync(`${folder}/.env`, "CAUSEWAY_ADMIN=http://127.0.0.1:2\n");
  writeFileSync(`${folder}/bunfig.toml`, 'preload = ["./preload.ts"]\n');
  writeFileSync(`${folder}/preload.ts`, 'console.log("preloaded")');
  const { CAUSEWAY_ADMIN: _own, ...env } = process.env;
  const child = Bun.spawn([...command, "sessions"], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  rmSync(folder, { recursive: true });
  expect([out.includes("preloaded"), err.includes("http://127.0.0.1:2")]).toEqual([false, false]);
});

test("a reader that goes away, as head does, costs only what it did not read", async () => {
  const shell = ["sh", "-c", '"$@" | true', "sh", ...selfCommand(), "schema"];
  const child = Bun.spawn(shell, { stdio: ["ignore", "ignore", "pipe"] });
  expect(await new Response(child.stderr).text()).toBe("");
});
