import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { selfCommand } from "../../src/cli/self.ts";
import { portToName } from "../support/port-to-name.ts";
import { until } from "../support/until.ts";

const DEADLINE_MS = 20_000;
const running = new Set<Subject>();
afterEach(async () => {
  for (const demo of running) {
    demo.child.kill("SIGTERM");
    await demo.child.exited;
  }
  running.clear();
});

type Subject = { readonly child: ReturnType<typeof spawn>; readonly url: string; readonly text: string };

function spawn(args: readonly string[]) {
  return Bun.spawn([...selfCommand(), "demo", ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, REDIS_URL: "redis://127.0.0.1:1" },
  });
}

async function start(): Promise<Subject> {
  const port = await portToName();
  const child = spawn(["--port", String(port)]);
  let text = "";
  for await (const chunk of child.stdout) {
    text += new TextDecoder().decode(chunk);
    if (text.includes("Ctrl-C")) break;
  }
  const demo = { child, url: `http://127.0.0.1:${port}/`, text };
  running.add(demo);
  return demo;
}

/** The processes below one, from the kernel's list. */
function below(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter(Boolean)
    .map(Number);
  return children.flatMap((child) => [child, ...below(child)]);
}

// A process that has ended, but that its new parent has not yet collected, is over as well.
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe.skipIf(process.platform !== "linux")("causeway demo", () => {
  test(
    "says what to open, serves it, and leaves no process behind on SIGTERM",
    async () => {
      const { child, url, text } = await start();
      for (const name of ["dashboard", "chat", "close-codes"]) {
        expect(text).toContain(`${url}${name}/`);
        expect(await (await fetch(`${url}${name}/`)).text()).toContain("<!doctype html>");
      }
      expect(await (await fetch(url)).text()).toContain("Causeway is up");
      expect(await (await fetch(`${url}dashboard/api?id=8&value=300`)).json()).toMatchObject({ id: 8, value: 300 });
      const [, trust = "", secure = ""] = /curl --cacert (\S+) (https:\S+)/.exec(text) ?? [];
      const tls = { ca: readFileSync(trust, "utf8") };
      expect(await (await fetch(`${secure}chat/`, { tls })).text()).toContain("<!doctype html>");
      expect(text).toContain("no Redis answers at 127.0.0.1:1");
      const family = below(child.pid);
      expect(family.length).toBeGreaterThanOrEqual(5);
      child.kill("SIGTERM");
      expect(await child.exited).toBe(0);
      await until(() => !family.some(isAlive));
    },
    DEADLINE_MS,
  );

  test(
    "leaves no process and no folder behind even when it is killed",
    async () => {
      const { child, text } = await start();
      const family = below(child.pid);
      child.kill("SIGKILL");
      await child.exited;
      const folder = /\S+(?=\/causeway\.yaml)/.exec(text)?.[0] ?? "";
      expect(existsSync(folder)).toBe(true);
      await until(() => !family.some(isAlive), 8_000);
      expect(existsSync(folder)).toBe(false);
    },
    DEADLINE_MS,
  );

  test(
    "ends processes that hang as well",
    async () => {
      const { child } = await start();
      const family = below(child.pid);
      for (const pid of family) process.kill(pid, "SIGSTOP");
      child.kill("SIGINT");
      expect(await child.exited).toBe(0);
      expect(family.some(isAlive)).toBe(false);
    },
    DEADLINE_MS,
  );

  test(
    "ends everything at once when it is told twice",
    async () => {
      const { child } = await start();
      const family = below(child.pid);
      for (const pid of family) process.kill(pid, "SIGSTOP");
      await until(() => {
        child.kill("SIGINT");
        return child.exitCode !== null;
      }, 2000);
      expect(family.some(isAlive)).toBe(false);
    },
    DEADLINE_MS,
  );

  test(
    "ends everything, and says why, when one process dies",
    async () => {
      const { child } = await start();
      const family = below(child.pid);
      const chat = family.find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("\0chat\0"));
      if (chat === undefined) throw new Error("no chat runs");
      process.kill(chat, "SIGKILL");
      expect(await child.exited).toBe(1);
      expect(await new Response(child.stderr).text()).toContain("chat has ended (SIGKILL), so everything ends");
      await until(() => !family.some(isAlive));
    },
    DEADLINE_MS,
  );
});
