import { expect, test } from "bun:test";
import { RawClient } from "../support/raw-client.ts";
import { RunningGateway, type RunningOptions } from "../support/running-gateway.ts";
import { signedPair } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

type Worker = { readonly id: string; readonly pid: number; readonly state: string; readonly sessions: number | null };

const gatewayFor = (app: WsApp, certificate: object, how: RunningOptions = {}): Promise<RunningGateway> =>
  RunningGateway.open(
    JSON.stringify({
      admin: { address: "127.0.0.1:0" },
      workers: 1,
      log: { format: "json" },
      drain: { window: "0s", grace: "1s" },
      listeners: {
        plain: { address: "127.0.0.1:0" },
        secure: { address: "127.0.0.1:0", tls: { certificates: [certificate] } },
      },
      upstreams: { app: { endpoints: [`127.0.0.1:${app.port}`] } },
      routes: { all: { to: "app" } },
    }),
    how,
  );

const workersOf = async (gateway: RunningGateway): Promise<readonly Worker[]> =>
  (await gateway.admin("/api/workers")).body.items as readonly Worker[];

const portOf = (gateway: RunningGateway, listener: string): number =>
  gateway.ready.listeners.find(({ name }) => name === listener)?.port ?? 0;

test("a session over TLS stays in its old process, which lingers for it and is handled as all others", async () => {
  using files = TlsFiles.make();
  await using app = await WsApp.open(echo);
  await using gateway = await gatewayFor(app, files.add("site", signedPair({ name: "site", hosts: ["127.0.0.1"] })));
  const open = (listener: string): Promise<WsPeer> =>
    WsPeer.open(portOf(gateway, listener), { isSecure: listener === "secure" });
  const [plain, secure, other] = [await open("plain"), await open("secure"), await open("secure")];
  const [before] = await workersOf(gateway);
  expect((await gateway.admin("/api/upgrade", "POST")).body).toMatchObject({ items: [{ worker: "1", sessions: 1 }] });
  const after = await workersOf(gateway);
  expect(after).toMatchObject([
    { id: "1", state: "serving", sessions: 1 },
    { id: `1-${before?.pid}`, pid: before?.pid, state: "lingering", sessions: 2 },
  ]);
  const fresh = await open("secure");
  for (const peer of [plain, secure, other, fresh]) {
    peer.send("hello");
    await until(() => peer.messages.length === 1);
  }
  expect((await workersOf(gateway)).map(({ sessions }) => sessions)).toEqual([2, 2]);
  const { items } = (await gateway.admin(`/api/sessions?worker=1-${before?.pid}`)).body as { items: { id: string }[] };
  expect(items.length).toBe(2);
  expect((await gateway.admin(`/api/sessions/${items[0]?.id}?code=4001`, "DELETE")).body).toEqual({ closed: 1 });
  expect((await secure.untilEnd()).code).toBe(4001);
  other.socket.close(1000);
  await until(async () => (await workersOf(gateway)).length === 1);
  fresh.send("again");
  await until(() => fresh.messages.length === 2);
});

test("an old process drains what is left when it has lingered long enough", async () => {
  using files = TlsFiles.make();
  await using app = await WsApp.open(echo);
  await using gateway = await gatewayFor(app, files.add("site", signedPair({ name: "site", hosts: ["127.0.0.1"] })));
  const secure = await WsPeer.open(portOf(gateway, "secure"), { isSecure: true });
  expect((await gateway.admin("/api/upgrade?linger=100ms", "POST")).status).toBe(200);
  expect((await secure.untilEnd()).code).toBe(1012);
  await until(async () => (await workersOf(gateway)).length === 1);
});

test("a process that lingers is left alone by the next upgrade, and handled as before", async () => {
  using files = TlsFiles.make();
  await using app = await WsApp.open(echo);
  const certificate = files.add("site", signedPair({ name: "site", hosts: ["127.0.0.1"] }));
  await using gateway = await gatewayFor(app, certificate);
  const secure = await WsPeer.open(portOf(gateway, "secure"), { isSecure: true });
  await gateway.admin("/api/upgrade", "POST");
  await gateway.admin("/api/upgrade", "POST");
  const states = async () => (await workersOf(gateway)).map(({ state }) => state);
  await until(async () => (await states()).length === 2);
  expect(await states()).toEqual(["serving", "lingering"]);
  expect((await gateway.admin("/api/sessions?code=4002&route=all", "DELETE")).body).toEqual({ closed: 1 });
  expect((await secure.untilEnd()).code).toBe(4002);
});

test("a request that is under way is answered by the old process, and its connection goes on in the new one", async () => {
  using files = TlsFiles.make();
  const seen = Promise.withResolvers<void>();
  const slow = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch() {
      await seen.promise;
      await Bun.sleep(400);
      return new Response("answered");
    },
  });
  await using app = await WsApp.open(echo);
  await using gateway = await gatewayFor(app, files.add("site", signedPair({ name: "site" })));
  gateway.write(
    JSON.stringify({
      admin: { address: "127.0.0.1:0" },
      log: { format: "json" },
      listeners: { plain: { address: `127.0.0.1:${portOf(gateway, "plain")}` } },
      upstreams: { app: { endpoints: [`127.0.0.1:${slow.port}`] } },
      routes: { all: { to: "app" } },
    }),
  );
  await until(async () => (await gateway.admin("/api/config")).body.revision === 2);
  const client = await RawClient.open(portOf(gateway, "plain"));
  const request = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
  client.write(request);
  await until(async () =>
    /causeway_exchanges_running 1/.test(await (await fetch(`${gateway.ready.admin}/metrics`)).text()),
  );
  seen.resolve();
  await gateway.admin("/api/upgrade", "POST");
  await until(() => client.text.includes("answered"));
  expect(client.text).not.toContain("onnection: close");
  await until(async () => (await workersOf(gateway)).length === 1);
  client.write(request);
  await until(() => client.text.split("answered").length === 3);
  client.end();
  await slow.stop(true);
});

test("a process that lingers is found, shown and told by the control process that follows", async () => {
  using files = TlsFiles.make();
  await using app = await WsApp.open(echo);
  const certificate = files.add("site", signedPair({ name: "site", hosts: ["127.0.0.1"] }));
  await using gateway = await gatewayFor(app, certificate, { isTied: false });
  const peers = [
    await WsPeer.open(portOf(gateway, "secure"), { isSecure: true }),
    await WsPeer.open(portOf(gateway, "secure"), { isSecure: true }),
  ];
  const pid = gateway.ready.workerPid;
  for (let round = 2; round <= 3; round++) {
    expect((await gateway.admin("/api/upgrade", "POST")).status).toBe(200);
    await until(() => gateway.lines.filter(({ event }) => event === "ready").length === round);
    expect(await workersOf(gateway)).toMatchObject([
      { id: "1", state: "serving", sessions: 0 },
      { id: `1-${pid}`, pid, state: "lingering", sessions: 2 },
    ]);
  }
  expect((await gateway.admin(`/api/sessions?code=4003&route=all`, "DELETE")).body).toEqual({ closed: 2 });
  for (const peer of peers) expect((await peer.untilEnd()).code).toBe(4003);
  await until(async () => (await workersOf(gateway)).length === 1);
}, 30_000);
