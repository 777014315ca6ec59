import { describe, expect, test } from "bun:test";
import type { Gateway } from "../../src/dataplane/gateway.ts";
import { DeafPort } from "../support/deaf-port.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { header } from "../support/http-message.ts";
import { friendly, ScriptedBackend, silent } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

const busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";

/** A backend that refuses every handshake, and has nothing against requests. */
function refusing(): ScriptedBackend {
  return ScriptedBackend.open(async (connection) => {
    for (;;) {
      await connection.request();
      connection.write(busy);
    }
  });
}

/** A port where nobody listens. */
function deadPort(): { port: number } {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  listener.stop(true);
  return { port: listener.port };
}

function figure(gateway: Gateway, name: string, labels: Readonly<Record<string, string>>): number {
  const family = gateway.metrics().find((one) => one.name === name);
  const wanted = Object.entries(labels);
  const isMeant = (has: Readonly<Record<string, string | number>>) =>
    wanted.every(([key, value]) => has[key] === value);
  return (family?.values ?? []).filter((one) => isMeant(one.labels)).reduce((sum, { value }) => sum + value, 0);
}

const turns = { balance: "round-robin" };

describe("a handshake that is refused", () => {
  const retry = { handshakes: [502, 503, 504] };

  test("is tried on another endpoint if the route says so", async () => {
    await using bad = refusing();
    await using good = ScriptedBackend.open(friendly);
    await using fixture = GatewayFixture.open({ to: [bad, good], upstream: turns, route: { retry } });
    await using client = await fixture.connect();
    client.write(handshake());
    expect((await client.response()).status).toBe(101);
    expect([bad.requests.length, good.requests.length]).toEqual([1, 1]);
    await until(() => bad.connections[0]?.hasEnded === true);
    expect(fixture.records.at(-1)).toMatchObject({ kind: "session-open", tries: 2 });
    const labels = { upstream: "app", result: "tried" };
    expect(figure(fixture.gateway, "causeway_upstream_retries_total", labels)).toBe(1);
  });

  test("goes back as it is if the route says nothing", async () => {
    await using bad = refusing();
    await using good = ScriptedBackend.open(friendly);
    await using fixture = GatewayFixture.open({ to: [bad, good], upstream: turns });
    const client = await fixture.connect();
    client.write(handshake());
    const answer = await client.response();
    expect([answer.status, answer.body.toString(), good.requests.length]).toEqual([503, "busy", 0]);
  });

  test("comes back with the last answer when every endpoint has refused it, each asked once", async () => {
    await using one = refusing();
    await using two = refusing();
    await using three = refusing();
    await using fixture = GatewayFixture.open({ to: [one, two, three], upstream: turns, route: { retry } });
    const client = await fixture.connect();
    client.write(handshake());
    const answer = await client.response();
    expect([answer.status, answer.body.toString()]).toEqual([503, "busy"]);
    expect([one, two, three].map(({ requests }) => requests.length)).toEqual([1, 1, 1]);
  });

  test("a request with such an answer is not repeated", async () => {
    await using bad = refusing();
    await using good = ScriptedBackend.open(friendly);
    await using fixture = GatewayFixture.open({ to: [bad, good], upstream: turns, route: { retry } });
    const client = await fixture.connect();
    client.write(request());
    expect((await client.response()).status).toBe(503);
    expect(good.requests.length).toBe(0);
  });
});

test("an upstream gets no more retries than its budget allows", async () => {
  await using good = ScriptedBackend.open(friendly);
  const upstream = { ...turns, ejection: "off" };
  const route = { retry: { budget: 1 } };
  await using fixture = GatewayFixture.open({ to: [deadPort(), good], upstream, route });
  const statuses: number[] = [];
  for (let at = 0; at < 40; at++) {
    await using client = await fixture.connect();
    client.write(request());
    statuses.push((await client.response()).status);
  }
  // Ten from the reserve, and perhaps one more for the time it takes.
  const refused = statuses.filter((status) => status === 502).length;
  expect(refused).toBeGreaterThanOrEqual(8);
  expect(refused).toBeLessThanOrEqual(10);
  expect(statuses.slice(0, 20).every((status) => status === 200)).toBe(true);
  const labels = { upstream: "app", result: "over_budget" };
  expect(figure(fixture.gateway, "causeway_upstream_retries_total", labels)).toBe(refused);
});

describe("an endpoint that does not accept", () => {
  test("gives way to another one after timeouts.connect, for requests and handshakes", async () => {
    await using deaf = await DeafPort.open();
    await using good = ScriptedBackend.open(friendly);
    const route = { timeouts: { connect: "200ms" } };
    await using fixture = GatewayFixture.open({ to: [deaf, good], upstream: { ...turns, ejection: "off" }, route });
    const statuses: number[] = [];
    for (const ask of [request, request, handshake, handshake]) {
      await using client = await fixture.connect();
      client.write(ask());
      statuses.push((await client.response()).status);
    }
    expect(statuses).toEqual([200, 200, 101, 101]);
    const tries = fixture.records.flatMap((record) => ("tries" in record ? [record.tries] : []));
    expect(tries.toSorted()).toEqual([1, 1, 2, 2]);
  });

  test("counts against the limit of connects meanwhile, and ends in 504 if there is no other one", async () => {
    await using deaf = await DeafPort.open();
    const route = { timeouts: { connect: "500ms" } };
    await using fixture = GatewayFixture.open({ to: [deaf], upstream: { limits: { connects: 1 } }, route });
    const first = await fixture.connect();
    first.write(request());
    await until(() => fixture.gateway.status().upstreams[0]?.endpoints[0]?.requests === 1);
    const second = await fixture.connect();
    second.write(handshake());
    expect((await second.response()).status).toBe(503);
    expect((await first.response()).status).toBe(504);
    const labels = { upstream: "app", limit: "connects" };
    expect(figure(fixture.gateway, "causeway_upstream_refused_total", labels)).toBe(1);
  });
});

describe("limits of an upstream", () => {
  test("a session too many gets 503 with Retry-After at once, and may come when one has ended", async () => {
    await using app = ScriptedBackend.open(friendly);
    await using fixture = GatewayFixture.open({
      to: [app],
      upstream: { limits: { sessions: 1 } },
      route: { timeouts: { close: "50ms" } },
    });
    const first = await fixture.connect();
    first.write(handshake());
    expect((await first.response()).status).toBe(101);
    const second = await fixture.connect();
    second.write(handshake());
    const answer = await second.response();
    expect(answer.status).toBe(503);
    expect(Number(header(answer, "retry-after"))).toBeGreaterThan(0);
    expect(answer.body.toString()).toContain('"code":"upstream_full"');
    const labels = { upstream: "app", limit: "sessions" };
    expect(figure(fixture.gateway, "causeway_upstream_refused_total", labels)).toBe(1);
    // Requests have a limit of their own.
    const asks = await fixture.connect();
    asks.write(request());
    expect((await asks.response()).status).toBe(200);
    await first[Symbol.asyncDispose]();
    await until(() => fixture.gateway.sessions.size === 0);
    const third = await fixture.connect();
    third.write(handshake());
    expect((await third.response()).status).toBe(101);
  });

  test("requests that wait for their answer are counted", async () => {
    await using app = ScriptedBackend.open(silent);
    await using fixture = GatewayFixture.open({ to: [app], upstream: { limits: { requests: 2 } } });
    const waiting = [await fixture.connect(), await fixture.connect()];
    for (const client of waiting) client.write(request());
    await until(() => app.connections.length === 2);
    const client = await fixture.connect();
    client.write(request());
    expect((await client.response()).status).toBe(503);
  });

  test("an endpoint that is full is passed over, until all are", async () => {
    await using one = ScriptedBackend.open(friendly);
    await using two = ScriptedBackend.open(friendly);
    const upstream = { ...turns, endpointLimits: { sessions: 1 } };
    await using fixture = GatewayFixture.open({ to: [one, two], upstream });
    const statuses: number[] = [];
    for (let at = 0; at < 3; at++) {
      const client = await fixture.connect();
      client.write(handshake());
      statuses.push((await client.response()).status);
    }
    expect(statuses).toEqual([101, 101, 503]);
    expect([one.requests.length, two.requests.length]).toEqual([1, 1]);
  });
});
