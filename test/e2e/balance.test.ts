import { afterEach, expect, test } from "bun:test";
import { type FixtureSettings, GatewayFixture, snapshotOf } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { header } from "../support/http-message.ts";
import type { RawClient } from "../support/raw-client.ts";
import { ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** Applications that open every WebSocket and keep it, and answer requests after a while; each says who it is. */
function openBackends(count: number, slowest = 0): ScriptedBackend[] {
  return Array.from({ length: count }, (_, at) => {
    const backend = ScriptedBackend.open(async (connection) => {
      for (;;) {
        const asked = await connection.request();
        if (header(asked, "upgrade") !== undefined) connection.switch(asked, { lines: `X-Up: ${at}\r\n` });
        else {
          if (at === 0 && slowest > 0) await Bun.sleep(slowest);
          connection.write(`HTTP/1.1 200 OK\r\nX-Up: ${at}\r\nContent-Length: 0\r\n\r\n`);
        }
      }
    });
    opened.push(backend);
    return backend;
  });
}

function openGateway(settings: FixtureSettings): GatewayFixture {
  const gateway = GatewayFixture.open(settings);
  opened.push(gateway);
  return gateway;
}

/** Opens a session, and says with which backend. */
async function openSession(gateway: GatewayFixture): Promise<{ readonly up: number; readonly client: RawClient }> {
  const client = await gateway.connect();
  opened.push(client);
  client.write(handshake());
  return { up: Number(header(await client.response(), "x-up")), client };
}

async function openSessions(gateway: GatewayFixture, count: number): Promise<number[]> {
  const ups: number[] = [];
  for (let turn = 0; turn < count; turn++) ups.push((await openSession(gateway)).up);
  return ups.sort();
}

function sessionsOf(gateway: GatewayFixture): number[] {
  return gateway.gateway.status().upstreams[0]?.endpoints.map(({ sessions }) => sessions) ?? [];
}

test("AC-11.1: 4 sessions on 2 endpoints, a third is added, and the next 2 go to the third", async () => {
  const to = openBackends(3);
  const gateway = openGateway({ to: to.slice(0, 2) });
  expect(await openSessions(gateway, 4)).toEqual([0, 0, 1, 1]);
  gateway.gateway.apply({ ...snapshotOf({ to }), revision: 2 });
  expect(await openSessions(gateway, 2)).toEqual([2, 2]);
  expect(await openSessions(gateway, 3)).toEqual([0, 1, 2]);
  expect(sessionsOf(gateway)).toEqual([3, 3, 3]);
});

test("AC-11.1: counts hold over changes of everything, and sessions that end are given back", async () => {
  const to = openBackends(2);
  const route = { timeouts: { close: "100ms" } };
  const gateway = openGateway({ to, route });
  const sessions = [await openSession(gateway), await openSession(gateway), await openSession(gateway)];
  const changes: readonly object[] = [
    { balance: "round-robin" },
    { balance: { hash: "client-address" } },
    { balance: "peak-ewma", sticky: { cookie: {} } },
    { balance: "least-sessions", pool: { idle: 1 }, slowStart: "10s" },
  ];
  for (const [at, upstream] of changes.entries()) {
    expect(gateway.gateway.apply({ ...snapshotOf({ to, upstream, route }), revision: at + 2 })).toEqual([]);
    expect(sessionsOf(gateway).toSorted()).toEqual([1, 2]);
  }
  for (const { client } of sessions) client.reset();
  await until(() => sessionsOf(gateway).every((count) => count === 0));
});

test("sessions are spread by weight, and an endpoint of weight 0 gets none", async () => {
  const to = openBackends(3);
  const weights = [100, 50, 0];
  const endpoints = to.map(({ port }, at) => ({ address: `127.0.0.1:${port}`, weight: weights[at] }));
  for (const balance of ["least-sessions", "round-robin"]) {
    const gateway = openGateway({ upstream: { endpoints, balance } });
    const ups = await openSessions(gateway, 12);
    expect(ups.filter((up) => up === 0)).toHaveLength(8);
    expect(ups.filter((up) => up === 1)).toHaveLength(4);
  }
});

test("peak-ewma: an endpoint that has become slow is left alone", async () => {
  const gateway = openGateway({ to: openBackends(2, 150), upstream: { balance: "peak-ewma" } });
  const ups: (string | undefined)[] = [];
  for (let turn = 0; turn < 40; turn++) {
    const client = await gateway.connect();
    client.write(request());
    ups.push(header(await client.response(), "x-up"));
    await client[Symbol.asyncDispose]();
  }
  // Without regard to latency it would be 20.
  expect(ups.filter((up) => up === "0").length).toBeLessThan(8);
});

test("an endpoint that stands by gets sessions when no other one can be reached", async () => {
  const to = openBackends(2);
  const [first, spare] = to.map(({ port }) => `127.0.0.1:${port}`);
  const upstream = {
    endpoints: [{ address: first }, { address: spare, standby: true }],
    ejection: { connects: 1, most: 100, time: "5m" },
    panic: 0,
  };
  const gateway = openGateway({ upstream });
  expect(await openSessions(gateway, 3)).toEqual([0, 0, 0]);
  await to[0]?.[Symbol.asyncDispose]();
  const client = await gateway.connect();
  opened.push(client);
  client.write(handshake());
  // The endpoint is found to be gone by this handshake, and out for the next one.
  await client.response();
  expect((await openSession(gateway)).up).toBe(1);
});

test("AC-11.4: an endpoint that is added starts slowly, one that was there from the start does not", async () => {
  const to = openBackends(3);
  const upstream = { balance: "round-robin", slowStart: { time: "5m", floor: 10 } };
  const gateway = openGateway({ to: to.slice(0, 2), upstream });
  expect(await openSessions(gateway, 4)).toEqual([0, 0, 1, 1]);
  gateway.gateway.apply({ ...snapshotOf({ to, upstream }), revision: 2 });
  const ups = await openSessions(gateway, 42);
  expect(ups.filter((up) => up === 2).length).toBeGreaterThan(0);
  expect(ups.filter((up) => up === 2).length).toBeLessThan(5);
});
