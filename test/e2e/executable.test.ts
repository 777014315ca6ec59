import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../../package.json" with { type: "json" };
import { portToName } from "../support/port-to-name.ts";

const PATIENCE_MS = 20_000;
const root = fileURLToPath(new URL("../..", import.meta.url));

let folder: string;
let program: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "causeway-executable-"));
  program = join(folder, "causeway");
  const build = Bun.spawn([process.execPath, join(root, "scripts/build.ts"), program], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  expect(await build.exited).toBe(0);
}, PATIENCE_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts the executable in a folder that holds nothing of the checkout. */
function start(...args: string[]) {
  return Bun.spawn([program, ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
}

async function output(...args: string[]): Promise<{ code: number; out: string }> {
  const child = start(...args);
  return { out: await new Response(child.stdout).text(), code: await child.exited };
}

/** Reads until `end` is there; the rest stays unread. */
async function readUntil(stream: ReadableStream<Uint8Array>, end: string): Promise<string> {
  let text = "";
  for await (const chunk of stream) {
    text += new TextDecoder().decode(chunk);
    if (text.includes(end)) return text;
  }
  throw new Error(`it ended with ${text}`);
}

test("the executable says its version and checks a configuration", async () => {
  expect((await output("version")).out).toStartWith(`causeway ${manifest.version} `);
  writeFileSync(join(folder, "bad.yaml"), "listeners: {}\nnonsense: 1\n");
  expect(await output("check", "bad.yaml")).toMatchObject({
    code: 1,
    out: expect.stringContaining("bad.yaml:2:1: nonsense"),
  });
});

test(
  "the executable runs a gateway, its worker and its admin API",
  async () => {
    const yaml = `
admin: { address: "127.0.0.1:0" }
listeners: { web: { address: "127.0.0.1:0" } }
routes: { all: { filters: [ respond: { status: 200, body: "fine" } ] } }
`;
    writeFileSync(join(folder, "good.yaml"), yaml);
    const child = start("run", "good.yaml");
    const [line = ""] = (await readUntil(child.stdout, "\n")).split("\n");
    const ready = JSON.parse(line) as { event: string; admin: string; listeners: readonly { port: number }[] };
    expect(ready.event).toBe("ready");
    expect(await (await fetch(`http://127.0.0.1:${ready.listeners[0]?.port}/`)).text()).toBe("fine");
    expect(await (await fetch(`${ready.admin}/metrics`)).text()).toContain("causeway_config_revision 1");
    expect((await fetch(`${ready.admin}/openapi.json`)).status).toBe(200);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  },
  PATIENCE_MS,
);

test(
  "the executable runs the demo, with its pages",
  async () => {
    const port = await portToName();
    const child = start("demo", "--port", String(port));
    expect(await readUntil(child.stdout, "Ctrl-C")).toContain("./causeway sessions");
    for (const page of ["", "dashboard/", "chat/", "close-codes/"]) {
      expect(await (await fetch(`http://127.0.0.1:${port}/${page}`)).text()).toStartWith("<!doctype html>");
    }
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  },
  PATIENCE_MS,
);
