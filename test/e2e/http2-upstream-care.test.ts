import { expect, test } from "bun:test";
import type { ServerHttp2Stream } from "node:http2";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { Http2App } from "../support/http2-app.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { workersOf } from "../support/two-workers.ts";
import { until } from "../support/until.ts";
import { echo, WsPeer } from "../support/ws.ts";

const h2 = { protocol: "h2", balance: "round-robin" };

const ask = (fixture: GatewayFixture): Promise<number> =>
  fetch(`http://127.0.0.1:${fixture.port}/`).then(({ status }) => status);

const endpointsOf = (fixture: GatewayFixture) => fixture.gateway.status().upstreams[0]?.endpoints ?? [];

test("an endpoint over HTTP/2 whose answers are errors is ejected, and the other one gets its requests", async () => {
  const onStream = (stream: ServerHttp2Stream) => stream.respond({ ":status": 500 }, { endStream: true });
  await using bad = await Http2App.open({ onStream });
  await using good = await Http2App.open();
  const upstream = { ...h2, ejection: { errors: 3, time: "30s" } };
  await using fixture = GatewayFixture.open({ isSecure: false, to: [bad, good], upstream });
  for (let count = 0; count < 6; count++) await ask(fixture);
  expect(endpointsOf(fixture)[0]).toMatchObject({ state: "ejected", answers: 3, answerFailures: 3, ejections: 1 });
  for (let count = 0; count < 6; count++) expect(await ask(fixture)).toBe(200);
});

test("limits of an upstream count its streams, and what is over is answered at once", async () => {
  const waiting: ServerHttp2Stream[] = [];
  await using app = await Http2App.open({ onStream: (stream) => waiting.push(stream) });
  const upstream = { ...h2, limits: { requests: 2 } };
  await using fixture = GatewayFixture.open({ isSecure: false, to: [app], upstream });
  const two = [ask(fixture), ask(fixture)];
  await until(() => waiting.length === 2);
  expect(await ask(fixture)).toBe(503);
  for (const stream of waiting.splice(0)) stream.respond({ ":status": 200 }, { endStream: true });
  expect(await Promise.all(two)).toEqual([200, 200]);
  expect(endpointsOf(fixture)[0]).toMatchObject({ requests: 0, sharedConnections: 1 });
});

test("sessions on a connection that breaks go on with another endpoint, where the route resumes them", async () => {
  await using one = await Http2App.open({ onPeer: echo });
  await using two = await Http2App.open({ onPeer: echo });
  await using fixture = GatewayFixture.open({ isSecure: false, to: [one, two], upstream: h2, route: { resume: {} } });
  const clients = await Promise.all(Array.from({ length: 4 }, () => WsPeer.open(fixture.port)));
  for (const client of clients) client.send("before");
  await until(() => clients.every(({ messages }) => messages.length === 1));
  for (const session of one.sessions) session.destroy();
  await until(() =>
    fixture.gateway.sessions.list({}, 10).items.every(({ endpoint }) => endpoint.endsWith(`:${two.port}`)),
  );
  for (const client of clients) client.send("after");
  await until(() => clients.every(({ messages }) => messages.length === 2));
  expect(clients.map(({ end }) => end)).toEqual(clients.map(() => undefined));
  for (const client of clients) client.socket.close(4001, "enough");
  for (const client of clients) expect(await client.untilEnd()).toEqual({ code: 4001, reason: "enough" });
  await until(() => endpointsOf(fixture).every(({ sessions }) => sessions === 0));
});

test("an endpoint over HTTP/2 that is drained closes its sessions, and the other one gets the next", async () => {
  await using one = await Http2App.open({ onPeer: echo });
  await using two = await Http2App.open({ onPeer: echo });
  const upstream = { ...h2, drain: "0s" };
  await using fixture = GatewayFixture.open({ isSecure: false, to: [one, two], upstream });
  const clients = await Promise.all(Array.from({ length: 4 }, () => WsPeer.open(fixture.port)));
  const verdict = {
    upstream: "app",
    address: `127.0.0.1:${one.port}`,
    health: "healthy",
    isDraining: true,
    since: 0,
  } as const;
  fixture.gateway.judge([verdict]);
  await until(() => clients.filter(({ end }) => end?.code === 1012).length === 2);
  const more = await Promise.all(Array.from({ length: 3 }, () => WsPeer.open(fixture.port)));
  expect(two.peers.length).toBe(5);
  for (const client of more) client.send("hello");
  await until(() => more.every(({ messages }) => messages.length === 1));
});

test("an upgrade leaves sessions over HTTP/2 with the old process, and nobody hears of it", async () => {
  await using app = await Http2App.open({ onPeer: echo });
  await using gateway = await RunningGateway.open(
    JSON.stringify({
      admin: { address: "127.0.0.1:0" },
      workers: 1,
      log: { format: "json" },
      drain: { window: "0s", grace: "1s" },
      listeners: { web: { address: "127.0.0.1:0" } },
      upstreams: { app: { protocol: "h2", endpoints: [`127.0.0.1:${app.port}`] } },
      routes: { all: { to: "app" } },
    }),
  );
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const before = await WsPeer.open(port);
  expect((await gateway.admin("/api/upgrade", "POST")).status).toBe(200);
  const after = await WsPeer.open(port);
  for (const peer of [before, after]) peer.send("hello");
  await until(() => [before, after].every(({ messages }) => messages.length === 1));
  expect((await workersOf(gateway)).map(({ state, sessions }) => [state, sessions])).toEqual([
    ["serving", 1],
    ["lingering", 1],
  ]);
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  before.socket.close(4002, "done");
  expect(await before.untilEnd()).toEqual({ code: 4002, reason: "done" });
  await until(async () => (await workersOf(gateway)).length === 1);
  after.send("again");
  await until(() => after.messages.length === 2);
});
