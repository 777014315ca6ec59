import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { selfCommand } from "../../src/cli/self.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

function yaml(app: WsApp, status: number, more: object = {}): string {
  return JSON.stringify({
    workers: 2,
    admin: { address: "127.0.0.1:0" },
    log: { format: "json", access: false },
    drain: { window: "200ms" },
    listeners: { web: { address: "127.0.0.1:0" } },
    upstreams: { app: { endpoints: [`127.0.0.1:${app.port}`] } },
    routes: {
      live: { match: { path: "/live" }, to: "app" },
      now: { match: { path: "/now" }, filters: [{ respond: { status } }] },
      ...more,
    },
  });
}

async function submit(gateway: RunningGateway, body: string, query = "", headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.ready.admin}/api/config${query}`, { method: "POST", body, headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** What all workers answer. */
async function answers(gateway: RunningGateway): Promise<ReadonlySet<number>> {
  const asked = Array.from({ length: 20 }, () => fetch(`${gateway.url}/now`, { headers: { connection: "close" } }));
  return new Set((await Promise.all(asked)).map(({ status }) => status));
}

test("a configuration that is sent is in force on all workers when it is answered, and keeps sessions", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, 201));
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const peers = await Promise.all(Array.from({ length: 20 }, () => WsPeer.open(port, { path: "/live" })));
  for (let status = 202; status <= 210; status++) {
    const { body } = await submit(gateway, yaml(app, status), "", { "if-match": `"${status - 201}"` });
    expect(body).toEqual({ revision: status - 200, isSaved: false, issues: [] });
    expect(await answers(gateway)).toEqual(new Set([status]));
  }
  expect(await submit(gateway, yaml(app, 299), "", { "if-match": '"1"' })).toMatchObject({
    status: 412,
    body: { error: { code: "stale_revision", message: "revision 10 is in force" } },
  });
  const shown = await gateway.admin("/api/config");
  expect(shown.body).toMatchObject({ revision: 10, isSubmitted: true, sessionsByRevision: { "1": 20 } });
  const sessions = (await gateway.admin("/api/sessions")).body.items as { revision: number }[];
  expect(new Set(sessions.map(({ revision }) => revision))).toEqual(new Set([1]));
  expect(peers.every(({ end }) => end === undefined)).toBe(true);
  // The file wins as soon as it changes, or is read again because somebody wants that.
  gateway.kill("SIGHUP");
  await until(async () => (await answers(gateway)).has(201));
  expect((await gateway.admin("/api/config")).body).toMatchObject({ isSubmitted: false });
}, 20_000);

test("a configuration with errors changes nothing, and the answer says what stands where", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, 201));
  const text = 'listeners: { web: { address: "127.0.0.1:0" } }\nroutes:\n  all: { too: app }\n';
  const { status, body } = await submit(gateway, text, "?write=true");
  expect(status).toBe(422);
  const [issue] = body.issues as { at: object; text: string }[];
  expect(issue?.at).toMatchObject({ line: 3, column: 10, path: "routes.all.too" });
  expect(issue?.text).toContain("request:3:10: routes.all.too: ");
  expect(await answers(gateway)).toEqual(new Set([201]));
  expect((await gateway.admin("/api/issues")).body.items).toEqual([]);
  expect(readFileSync(gateway.file, "utf8")).not.toContain("too");
}, 20_000);

test("it is written to the file as well where that is wanted", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, 201));
  const text = yaml(app, 202);
  expect(await submit(gateway, text, "?write=true")).toEqual({
    status: 200,
    body: { revision: 2, isSaved: true, issues: [] },
  });
  expect(readFileSync(gateway.file, "utf8")).toBe(text);
  await until(async () => (await gateway.admin("/api/config")).body.isSubmitted === false);
  expect([await answers(gateway), (await gateway.admin("/api/config")).body.revision]).toEqual([new Set([202]), 2]);
}, 20_000);

test("check --against says of a running gateway what then happens", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, 201, { gone: { match: { path: "/gone" }, to: "app" } }));
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const live = await WsPeer.open(port, { path: "/live" });
  const gone = await Promise.all([WsPeer.open(port, { path: "/gone" }), WsPeer.open(port, { path: "/gone" })]);
  const next = `${gateway.file}.next`;
  await Bun.write(next, yaml(app, 202));
  const command = [...selfCommand(), "check", "--against", gateway.ready.admin, next];
  const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "inherit"] });
  expect([await new Response(child.stdout).text(), await child.exited]).toEqual([
    `1 listener, 2 routes, 1 upstream: fine
against ${gateway.ready.admin}, revision 1:
~ route now
    filters[0].status: 201 → 202
- route gone: 2 sessions end within 200ms
1 changed, 1 removed; nothing is changed yet
`,
    0,
  ]);
  expect((await submit(gateway, yaml(app, 202))).status).toBe(200);
  expect((await Promise.all(gone.map((peer) => peer.untilEnd()))).map(({ code }) => code)).toEqual([1012, 1012]);
  expect(live.end).toBeUndefined();
}, 20_000);

test("a listener that goes drains its sessions, and no others", async () => {
  await using app = await WsApp.open(echo);
  const both = { web: { address: "127.0.0.1:0" }, other: { address: "127.0.0.1:0" } };
  const text = (listeners: object): string => JSON.stringify({ ...JSON.parse(yaml(app, 201)), listeners });
  await using gateway = await RunningGateway.open(text(both));
  const port = (name: string): number => gateway.ready.listeners.find((one) => one.name === name)?.port ?? 0;
  const open = (name: string) =>
    Promise.all(Array.from({ length: 5 }, () => WsPeer.open(port(name), { path: "/live" })));
  const [web, other] = [await open("web"), await open("other")];
  expect((await submit(gateway, text({ web: both.web }))).status).toBe(200);
  expect((await Promise.all(other.map((peer) => peer.untilEnd()))).map(({ code }) => code)).toEqual(
    Array.from({ length: 5 }, () => 1012),
  );
  await expect(WsPeer.open(port("other"), { path: "/live" })).rejects.toThrow();
  expect(web.every(({ end }) => end === undefined)).toBe(true);
}, 20_000);
