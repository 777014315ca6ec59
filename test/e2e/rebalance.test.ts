import { afterEach, expect, test } from "bun:test";
import { TimerWheel } from "../../src/kit/timer-wheel.ts";
import { GatewayFixture, snapshotOf } from "../support/gateway-fixture.ts";
import { handshake } from "../support/handshake.ts";
import { header } from "../support/http-message.ts";
import type { RawClient } from "../support/raw-client.ts";
import { ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** Applications that open every WebSocket, and answer no Close. */
function openBackends(count: number): ScriptedBackend[] {
  return Array.from({ length: count }, (_, at) => {
    const backend = ScriptedBackend.open(async (connection) => {
      const asked = await connection.request();
      connection.switch(asked, { lines: `X-Up: ${at}\r\n` });
    });
    opened.push(backend);
    return backend;
  });
}

type Client = { readonly client: RawClient; readonly up: number };

async function openSessions(gateway: GatewayFixture, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  for (let turn = 0; turn < count; turn++) {
    const client = await gateway.connect();
    opened.push(client);
    client.write(handshake());
    clients.push({ client, up: Number(header(await client.response(), "x-up")) });
  }
  return clients;
}

function surplus(gateway: GatewayFixture): number[] {
  const family = gateway.gateway.metrics().find(({ name }) => name === "causeway_endpoint_surplus");
  return family?.values.map(({ value }) => value) ?? [];
}

/** The positions of those that are being closed, once there are that many. */
async function closing(gateway: GatewayFixture, count: number): Promise<string[]> {
  const all = () => gateway.gateway.sessions.list({}, 100).items.filter(({ state }) => state === "closing");
  await until(() => all().length >= count);
  return all().map(({ id }) => id);
}

test("AC-11.3: after a scale-out the oldest sessions get a Close 1012, a few at a time, and nobody is left below its share", async () => {
  const wheel = new TimerWheel({ clock: "simulated" });
  const to = openBackends(3);
  const upstream = { rebalance: { tolerance: 10, perSecond: 1 } };
  const route = { timeouts: { close: "10m", handshake: "off", connect: "off" }, keepalive: "off" };
  const gateway = GatewayFixture.open({ to: to.slice(0, 2), upstream, route, wheel });
  opened.push(gateway);
  const clients = await openSessions(gateway, 18);
  const ids = gateway.gateway.sessions.list({}, 100).items.map(({ id }) => id);
  wheel.advance(wheel.clock() + 20_000);
  expect(await closing(gateway, 0)).toEqual([]);
  gateway.gateway.apply({ ...snapshotOf({ to, upstream, route }), revision: 2 });
  expect(surplus(gateway)).toEqual([3, 3, 0]);
  // One a second, in steps of two seconds.
  wheel.advance(wheel.clock() + 3900);
  const first = await closing(gateway, 2);
  expect(first).toHaveLength(2);
  const oldestOf = (up: number, count: number) => ids.filter((_, at) => clients[at]?.up === up).slice(0, count);
  expect(first.toSorted()).toEqual([...oldestOf(0, 1), ...oldestOf(1, 1)].sort());
  const closed = clients[ids.indexOf(first[0] ?? "")]?.client;
  await until(() => closed?.received.includes(Buffer.from([0x88, 0x02, 0x03, 0xf4])) === true);
  wheel.advance(wheel.clock() + 30_000);
  const all = [...oldestOf(0, 3), ...oldestOf(1, 3)];
  expect((await closing(gateway, 6)).toSorted()).toEqual(all.sort());
});

test("AC-11.3: a dry run closes nothing, and says how many it would be", async () => {
  const wheel = new TimerWheel({ clock: "simulated" });
  const to = openBackends(3);
  const upstream = { rebalance: { dryRun: true } };
  const route = { timeouts: { handshake: "off", connect: "off" }, keepalive: "off" };
  const gateway = GatewayFixture.open({ to: to.slice(0, 2), upstream, route, wheel });
  opened.push(gateway);
  await openSessions(gateway, 12);
  gateway.gateway.apply({ ...snapshotOf({ to, upstream, route }), revision: 2 });
  wheel.advance(wheel.clock() + 60_000);
  expect(surplus(gateway)).toEqual([2, 2, 0]);
  expect(await closing(gateway, 0)).toEqual([]);
  expect(gateway.gateway.sessions.size).toBe(12);
});
