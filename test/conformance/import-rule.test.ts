import { afterAll, beforeAll, expect, test } from "bun:test";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a file may and may not import, by the rule of who may import whom. */
const cases: readonly { readonly file: string; readonly may: readonly string[]; readonly mayNot: readonly string[] }[] =
  [
    {
      file: "src/kit/a.ts",
      may: [
        "./b.ts",
        "ipaddr.js",
        "re2js",
        "node:fs",
        "node:fs/promises",
        "bun",
        "bun:test",
        "../../test/support/x.ts",
      ],
      mayNot: [
        "../core/a.ts",
        "../dataplane/gateway.ts",
        "../main.ts",
        "zod",
        "prom-client",
        "left-pad",
        "@scope/any/deep",
      ],
    },
    {
      file: "src/core/a.ts",
      may: ["./b.ts", "../kit/a.ts", "node:crypto"],
      mayNot: [
        "../dataplane/net/a.ts",
        "../controlplane/reconciler.ts",
        "../telemetry/a.ts",
        "../worker/a.ts",
        "../cli/a.ts",
        "zod",
        "re2js",
      ],
    },
    {
      file: "src/dataplane/gateway.ts",
      may: ["./relay/a.ts", "./forward/a.ts", "../core/a.ts", "../kit/a.ts"],
      mayNot: [
        "../controlplane/reconciler.ts",
        "../telemetry/a.ts",
        "../worker/a.ts",
        "../cli/a.ts",
        "re2js",
        "ipaddr.js",
        "yaml",
      ],
    },
    {
      file: "src/dataplane/relay/a.ts",
      may: ["./b.ts", "../../core/a.ts", "../../kit/a.ts", "../../../test/support/x.ts"],
      mayNot: [
        "../net/a.ts",
        "../gateway.ts",
        "../../controlplane/config/a.ts",
        "../../telemetry/a.ts",
        "../../dataplane/net/a.ts",
        "re2js",
      ],
    },
    {
      file: "src/dataplane/forward/a.ts",
      may: ["./b.ts", "../net/a.ts", "../upstreams/a.ts", "../../core/a.ts", "../../kit/a.ts"],
      mayNot: ["../../controlplane/config/a.ts", "../../telemetry/a.ts", "../../cli/a.ts", "zod"],
    },
    {
      file: "src/controlplane/reconciler.ts",
      may: ["./config/a.ts", "./workers/a.ts", "../core/a.ts", "../kit/a.ts"],
      mayNot: ["../dataplane/gateway.ts", "../telemetry/a.ts", "../worker/a.ts", "zod", "hono"],
    },
    {
      file: "src/controlplane/workers/a.ts",
      may: ["./b.ts", "../event-log.ts", "../../core/a.ts", "../../kit/a.ts"],
      mayNot: [
        "../config/a.ts",
        "../reconciler.ts",
        "../../dataplane/gateway.ts",
        "../../telemetry/a.ts",
        "zod",
        "yaml",
      ],
    },
    {
      file: "src/controlplane/config/a.ts",
      may: ["./b.ts", "zod", "yaml", "../../kit/a.ts"],
      mayNot: ["../sources/a.ts", "../../dataplane/filters/a.ts", "hono", "@hono/zod-openapi", "re2js"],
    },
    {
      file: "src/controlplane/admin/a.ts",
      may: ["./b.ts", "../config/a.ts", "../reconciler.ts", "hono", "hono/bearer-auth", "@hono/zod-openapi"],
      mayNot: ["../../dataplane/gateway.ts", "../../telemetry/a.ts", "../../cli/a.ts", "yaml", "prom-client"],
    },
    {
      file: "src/telemetry/a.ts",
      may: ["./b.ts", "../core/a.ts", "../kit/a.ts", "prom-client"],
      mayNot: ["../dataplane/gateway.ts", "../controlplane/reconciler.ts", "../worker/a.ts", "zod"],
    },
    {
      file: "src/worker/a.ts",
      may: ["./b.ts", "../core/a.ts", "../kit/a.ts", "../dataplane/gateway.ts", "../telemetry/a.ts"],
      mayNot: ["../controlplane/reconciler.ts", "../cli/a.ts", "../main.ts", "yaml"],
    },
    {
      file: "src/cli/a.ts",
      may: ["./b.ts", "../controlplane/admin/a.ts", "../dataplane/gateway.ts", "../worker/a.ts", "../telemetry/a.ts"],
      mayNot: ["zod", "hono", "ws"],
    },
    {
      file: "examples/chat/a.ts",
      may: ["./b.ts", "ws", "../page.ts"],
      mayNot: ["../../src/kit/a.ts", "../../src/main.ts"],
    },
  ];

type Found = { readonly file: string; readonly line: number; readonly message: string };

const root = fileURLToPath(new URL("../..", import.meta.url));
let found: readonly Found[] = [];
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "import-rule-"));
  await cp(join(root, "biome.json"), join(folder, "biome.json"));
  for (const { file, may, mayNot } of cases) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await Bun.write(join(folder, file), importing([...may, ...mayNot]));
  }
  await Bun.write(join(folder, "src/kit/other-ways.ts"), otherWays);
  found = await lint();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

for (const { file, may, mayNot } of cases) {
  for (const [at, specifier] of [...may, ...mayNot].entries()) {
    const isRefused = at >= may.length;
    test(`${file} ${isRefused ? "may not import" : "may import"} ${specifier}`, () => {
      const messages = found.filter((item) => item.file === file && item.line === at + 1).map((item) => item.message);
      if (isRefused) expect(messages).toEqual([expect.stringMatching(/^\w.{20,}\.$/)]);
      else expect(messages).toEqual([]);
    });
  }
}

const otherWays = `import type { A } from "../core/a.ts";
export { b } from "../core/b.ts";
export * from "../core/c.ts";
await import("../core/d.ts");
require("../core/e.ts");
import "../core/f.ts";
`;

test("types, re-exports, dynamic imports, require and bare imports count too", () => {
  const lines = found.filter((item) => item.file === "src/kit/other-ways.ts").map((item) => item.line);
  expect(lines.sort()).toEqual([1, 2, 3, 4, 5, 6]);
});

/** One import a line. */
function importing(specifiers: readonly string[]): string {
  return specifiers.map((specifier, at) => `import { name${at} } from ${JSON.stringify(specifier)};\n`).join("");
}

/** Lints the folder with nothing but the rules that keep imports in order. */
async function lint(): Promise<readonly Found[]> {
  const rules = ["--only=style/noRestrictedImports", "--only=style/noCommonJs"];
  const command = [
    join(root, "node_modules/.bin/biome"),
    "lint",
    ...rules,
    "--reporter=json",
    "--max-diagnostics=none",
  ];
  const child = Bun.spawn(command, { cwd: folder, stdout: "pipe", stderr: "ignore", timeout: 30_000 });
  const report: unknown = JSON.parse(await new Response(child.stdout).text());
  const { diagnostics } = report as {
    diagnostics: { message: string; location: { path: string; start: { line: number } } }[];
  };
  return diagnostics.map(({ message, location }) => ({
    file: location.path.slice(Math.max(0, location.path.search(/(src|examples)\//))),
    line: location.start.line,
    message,
  }));
}
