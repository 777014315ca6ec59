import { describe, expect, test } from "bun:test";
import { JsonSocket } from "../../test/support/json-socket.ts";

const folder = `${import.meta.dir}/..`;
const names = ["dashboard", "chat", "close-codes"];

function start(name: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  return Bun.spawn([process.execPath, `${folder}/${name}/server.ts`, ...args], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, REDIS_URL: "", ...environment },
  });
}

async function urlOf(child: ReturnType<typeof start>): Promise<string> {
  for await (const chunk of child.stdout) return new TextDecoder().decode(chunk).trim().replace(/^.*: /, "");
  throw new Error("the example ended without a word");
}

describe.each(names)("%s alone", (name) => {
  test("serves its page on the port it names, and ends on SIGTERM", async () => {
    const child = start(name, ["--port", "0"]);
    const url = await urlOf(child);
    expect(await (await fetch(url)).text()).toContain("<!doctype html>");
    expect((await fetch(`${url}healthz`)).status).toBe(200);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });
});

test("SIGTERM closes the open sockets with 1001", async () => {
  const child = start("dashboard", [], { PORT: "0" });
  const socket = await JsonSocket.open(`${await urlOf(child)}ws`);
  child.kill("SIGTERM");
  expect(await socket.ended).toMatchObject({ code: 1001, wasClean: true });
  expect(await child.exited).toBe(0);
});

test("with --until-stdin-ends the end of stdin ends the example", async () => {
  const child = start("chat", ["--port", "0", "--until-stdin-ends"]);
  await urlOf(child);
  child.stdin.end();
  expect(await child.exited).toBe(0);
});

test.each([
  [["--port", "web"], "the port must be a number from 0 to 65535"],
  [["--port", "70000"], "the port must be a number from 0 to 65535"],
  [["--prot", "1"], "Unknown option '--prot'"],
])("%p is wrong use", async (args, says) => {
  const child = start("dashboard", args);
  expect(await child.exited).toBe(2);
  expect(await new Response(child.stderr).text()).toContain(says);
});

test("a port that is taken is said in one line", async () => {
  const first = start("dashboard", ["--port", "0"]);
  const { port } = new URL(await urlOf(first));
  const second = start("dashboard", ["--port", port]);
  expect(await second.exited).toBe(1);
  expect((await new Response(second.stderr).text()).trim().split("\n")).toEqual([expect.stringContaining(port)]);
  first.kill("SIGTERM");
  await first.exited;
});
