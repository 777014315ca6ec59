import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../../package.json" with { type: "json" };
import { commands } from "../../src/cli/commands.ts";
import { controlMetrics } from "../../src/cli/control-metrics.ts";
import { adminApp } from "../../src/controlplane/admin/app.ts";
import { readConfiguration } from "../../src/controlplane/config/read.ts";
import { configurationSchema } from "../../src/controlplane/config/schema.ts";
import { Discovery } from "../../src/controlplane/discovery/discovery.ts";
import type { Reading } from "../../src/core/configuration.ts";
import { errorTable } from "../../src/core/errors.ts";
import type { MetricFamily } from "../../src/core/figures.ts";
import { formatIssue } from "../../src/core/issue.ts";
import type { EndReason } from "../../src/core/session.ts";
import { Gateway } from "../../src/dataplane/gateway.ts";
import { FakeView } from "../support/fake-view.ts";
import { codeIn, MarkdownPage } from "../support/markdown.ts";
import { testSite } from "../support/test-certificates.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const patterns = ["*.md", "docs/**/*.md", "examples/*/README.md"];
const paths = patterns.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(root)]).sort();
const pages: ReadonlyMap<string, MarkdownPage> = new Map(paths.map((path) => [path, read(path)]));
const prose = [...pages].map(([path, page]) => ({ path, page }));

function read(path: string): MarkdownPage {
  return new MarkdownPage(readFileSync(join(root, path), "utf8"));
}

function page(path: string): MarkdownPage {
  return pages.get(path) ?? read(path);
}

const keys = Object.keys(configurationSchema.shape).join("|");
const configurations = prose.flatMap(({ path, page }) =>
  page.blocks
    .filter(({ language, text }) => language === "yaml" && new RegExp(`^(${keys}):`, "m").test(text))
    .map(({ text, line }) => ({ path, text, place: `${path}:${line}` })),
);

/** Reads a block of a page. A part of a configuration gets what it leaves out: a listener, routes, and upstreams of these names. */
function readBlock(text: string, source: string): Reading {
  const rest = [
    ["listeners", 'listeners: { rest: { address: "127.0.0.1:1" } }'],
    ["upstreams", "upstreams: { app: { endpoints: [ 127.0.0.1:1 ] }, app-v2: { endpoints: [ 127.0.0.1:2 ] } }"],
    ["routes", "routes: { rest: { to: app } }"],
  ].flatMap(([key = "", yaml = ""]) => (new RegExp(`^${key}:`, "m").test(text) ? [] : [yaml]));
  const texts = [{ source, text }, ...rest.map((yaml) => ({ source: "rest", text: yaml }))];
  const environment = {
    CAUSEWAY_ADMIN_TOKEN: "0123456789abcdef",
    OTHER_PASSPHRASE: "x",
    ACME_HMAC_KEY: "c2VjcmV0LXNlY3JldA",
  };
  // Certificates that a page speaks of are those of the tests, and one that is ordered has its key beside it.
  const readFile = (path: string) =>
    path.endsWith(".key") ? testSite().key : `${path.includes("directory") ? testSite().key : ""}${testSite().cert}`;
  return readConfiguration(texts, environment, readFile);
}

test("there are pages, and configurations in them, to look at", () => {
  expect(pages.has("README.md")).toBe(true);
  expect(pages.size).toBeGreaterThan(20);
  expect(configurations.length).toBeGreaterThan(12);
});

for (const { text, place } of configurations) {
  test(`the configuration at ${place} has no issues`, () => {
    const { issues } = readBlock(text, place);
    expect(issues.filter(({ at }) => at.source === place).map(formatIssue)).toEqual([]);
  });
}

test("what is said to be the default is what holds when it is left out", () => {
  const told = configurations.filter(({ path, text }) =>
    page(path).text.includes(`${text}\`\`\`\n\nThese are the defaults`),
  );
  expect(told.length).toBeGreaterThan(1);
  for (const { text, place } of told) {
    const without = text.replace(/^ +(timeouts|limits|keepalive|closeCodes): .*\n/gm, "");
    expect(without).not.toBe(text);
    expect(readBlock(text, place).configuration).toEqual(readBlock(without, place).configuration);
  }
});

// `npm run bench` writes these three together, and until it has run once there are none.
const hasResults = existsSync(join(root, "docs/bench/results.json"));
const isResult = (path: string): boolean => path.startsWith("docs/bench/results.");

for (const { path, page: from } of prose) {
  test(`links of ${path} lead somewhere`, () => {
    for (const link of from.links.filter((target) => !/^[a-z]+:/.test(target))) {
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? path : relative(root, join(root, dirname(path), file));
      if (isResult(target) && !hasResults) continue;
      expect([link, existsSync(join(root, target))]).toEqual([link, true]);
      if (anchor !== undefined) expect([link, page(target).anchors.has(anchor)]).toEqual([link, true]);
    }
  });

  test(`paths, commands and scripts that ${path} names exist`, () => {
    const isPath = (code: string): boolean => /^(src|docs|test|bench|examples|scripts|bin|\.ci)\/[\w./-]*$/.test(code);
    const files = from.code.filter((code) => isPath(code) && !isResult(code));
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    const known = new Set(commands.filter(({ isHidden }) => !isHidden).map(({ name }) => name));
    const typed = [...from.text.matchAll(/(?:bin\/causeway|`causeway|^causeway) ([a-z]\w*)/gm)].map(
      ([, name = ""]) => name,
    );
    expect(typed.filter((name) => !known.has(name))).toEqual([]);
    const scripts = [...from.text.matchAll(/npm run ([\w-]+)/g)].map(([, name = ""]) => name);
    expect(scripts.filter((name) => !(name in manifest.scripts))).toEqual([]);
  });
}

test("every error code is documented with its status and whose fault it is, and no other one", () => {
  const told = page("docs/reference/errors.md").rows("code");
  const documented = told.map(([code, status, side]) => ({ code: codeIn(code)[0], status: Number(status), side }));
  const real = errorTable().map(({ code, status, side }) => ({ code, status, side }));
  const byCode = (a: { code?: string | undefined }, b: { code?: string | undefined }): number =>
    (a.code ?? "").localeCompare(b.code ?? "");
  expect(documented.sort(byCode)).toEqual(real.sort(byCode) as typeof documented);
});

test("a code that is named with a status has this status", () => {
  const statusOf = new Map<string, string>(errorTable().map(({ code, status }) => [code, String(status)]));
  for (const { path, page } of prose) {
    for (const [says, status = "", code = ""] of page.prose.matchAll(/\b([45]\d\d) `([a-z_]+)`/g)) {
      expect(`${path}: ${says}, ${statusOf.get(code)}`).toBe(`${path}: ${says}, ${status}`);
    }
  }
});

test("every reason why a session ends is documented, and no other one", () => {
  // The compiler refuses a list that lacks one.
  const reasons: Readonly<Record<EndReason, true>> = {
    closed: true,
    client_lost: true,
    upstream_lost: true,
    idle_timeout: true,
    lifetime: true,
    dead_peer: true,
    protocol_error: true,
    drain: true,
    admin: true,
    config: true,
    unhealthy: true,
    internal: true,
  };
  const documented = page("docs/reference/errors.md")
    .rows("`end.reason`")
    .map(([reason]) => codeIn(reason)[0] ?? "");
  expect(documented.sort()).toEqual(Object.keys(reasons).sort());
});

async function metricFamilies(): Promise<readonly MetricFamily[]> {
  await using gateway = new Gateway();
  const figures = { revision: 1, isLastReloadGood: true, issues: [], servingWorkers: 1, workerRestarts: 0, drains: 0 };
  const discovery = new Discovery({ log: { info() {}, warn() {}, error() {} }, onChange() {} });
  return [
    ...gateway.metrics(),
    ...discovery.families([]),
    ...controlMetrics({
      ...figures,
      droppedRecords: 0,
      endpoints: [],
      listeners: [],
      orders: { issued: 0, failed: 0 },
    }),
  ];
}

test("every metric is documented with its type and its labels, and no other one", async () => {
  const rows = page("docs/reference/metrics.md").rows("metric");
  const documented = rows.map(([name, type]) => `${codeIn(name)[0]} ${type}`);
  const families = await metricFamilies();
  expect(documented.sort()).toEqual(families.map(({ name, type }) => `${name} ${type}`).sort());
  const labelsOf = new Map(rows.map(([name, , labels]) => [codeIn(name)[0], codeIn(labels)]));
  for (const { name, values } of families.filter((family) => family.name.startsWith("causeway_"))) {
    for (const { labels } of values) {
      const told = Object.keys(labels).filter((label) => label !== "le");
      expect([name, ...told]).toEqual([name, ...(labelsOf.get(name) ?? [])]);
    }
  }
});

test("no page speaks of a metric that is none", async () => {
  const names = new Set((await metricFamilies()).map(({ name }) => name));
  for (const { path, page } of prose) {
    const spoken = [...page.text.matchAll(/causeway_[a-z0-9_]+/g)].map(([name]) =>
      name.replace(/_(bucket|sum|count)$/, ""),
    );
    expect([path, ...spoken.filter((name) => !names.has(name))]).toEqual([path]);
  }
});

test("every event of the log is documented, and no other one", () => {
  const sources = [...new Bun.Glob("src/**/*.ts").scanSync(root)].filter((path) => !path.endsWith(".test.ts"));
  const found = sources.flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8");
    return [...text.matchAll(/\blog(?:\.(?:info|warn|error)|\[[^(]+\])\(\s*"([a-z-]+)"/g)].map(
      ([, event = ""]) => event,
    );
  });
  const documented = page("docs/guide/operating.md")
    .rows("event")
    .flatMap(([event]) => codeIn(event));
  expect(documented.sort()).toEqual([...new Set(found)].sort());
});

test("every page of the admin API is documented, and no other one", async () => {
  const answer = await adminApp(new FakeView())(new Request("http://localhost/openapi.json"));
  const { paths } = (await answer.json()) as { paths: Readonly<Record<string, object>> };
  const real = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const documented = page("docs/guide/operating.md")
    .rows("request")
    .flatMap(([request]) => {
      const codes = codeIn(request);
      const method = codes[0]?.split(" ")[0];
      return codes.map((code) => `${method} ${code.replace(/^[A-Z]+ /, "").replace(/\?.*$/, "")}`);
    });
  expect(documented.sort()).toEqual([...real, "GET /openapi.json"].sort());
});
