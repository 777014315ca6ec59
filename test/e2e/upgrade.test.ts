import { expect, test } from "bun:test";
import { RawClient } from "../support/raw-client.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { TalkingSessions } from "../support/talking-sessions.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

type Worker = { readonly id: string; readonly pid: number; readonly state: string; readonly sessions: number | null };

function yaml(app: WsApp, workers = 1): string {
  return JSON.stringify({
    admin: { address: "127.0.0.1:0" },
    workers,
    log: { format: "json" },
    drain: { window: "0s", grace: "1s" },
    listeners: { web: { address: "127.0.0.1:0" } },
    upstreams: { app: { endpoints: [`127.0.0.1:${app.port}`] } },
    routes: {
      live: { match: { path: "/live" }, to: "app", filters: [{ limit: { sessions: 3000 } }] },
      page: { match: { path: "/page" }, filters: [{ respond: { status: 200, body: "here" } }] },
    },
  });
}

async function workersOf(gateway: RunningGateway): Promise<readonly Worker[]> {
  return (await gateway.admin("/api/workers")).body.items as readonly Worker[];
}

/** Upgrades and waits until the old processes are gone. */
async function upgrade(gateway: RunningGateway): Promise<void> {
  const before = (await workersOf(gateway)).map(({ pid }) => pid);
  const { status, body } = await gateway.admin("/api/upgrade", "POST");
  expect([status, body]).toEqual([200, expect.anything()]);
  await until(async () =>
    (await workersOf(gateway)).every(({ pid, state }) => !before.includes(pid) && state === "serving"),
  );
}

/** Lines instead of the page: a page is too long to be shown when one is missing. */
const valuesIn = (page: string): string[] =>
  page.split("\n").filter((line) => /^causeway_(sessions|messages|worker|connections_open)/.test(line));

const portOf = (gateway: RunningGateway): number => gateway.ready.listeners[0]?.port ?? 0;

test("sessions full of traffic go through upgrade after upgrade, and not a byte is lost, doubled or reordered", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, 2));
  using talking = await TalkingSessions.open({ port: portOf(gateway), path: "/live", count: 40, seed: 7 });
  for (let round = 0; round < 4; round++) {
    const { messages } = talking;
    await upgrade(gateway);
    await until(() => talking.messages > messages + 200);
  }
  await talking.settle();
  expect(talking.faults).toEqual([]);
  const { total, items } = (await gateway.admin("/api/sessions?limit=100")).body as {
    total: number;
    items: { fromClient: { messages: number } }[];
  };
  expect(total).toBe(40);
  expect(items.reduce((sum, item) => sum + item.fromClient.messages, 0)).toBe(talking.messages);
  const page = await (await fetch(`${gateway.ready.admin}/metrics`)).text();
  expect(valuesIn(page)).toContain("causeway_sessions_opened_total 40");
  expect(valuesIn(page)).toContain('causeway_sessions_open{route="live"} 40');
  expect(valuesIn(page)).toContain(`causeway_messages_total{direction="from_client"} ${talking.messages}`);
  expect(valuesIn(page)).toContain("causeway_worker_restarts_total 0");
}, 60_000);

test("no handshake and no request fails while workers are replaced", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  const failures: string[] = [];
  let opened = 0;
  let isOver = false;
  const knock = async (): Promise<void> => {
    while (!isOver) {
      try {
        const peer = await WsPeer.open(portOf(gateway), { path: "/live" });
        peer.send("hello");
        await until(() => peer.messages.length === 1);
        peer.socket.close(1000);
        const { code } = await peer.untilEnd();
        if (code !== 1000) failures.push(`closed with ${code}`);
        const response = await fetch(`${gateway.url}/page`);
        if ((await response.text()) !== "here") failures.push(`status ${response.status}`);
        opened++;
      } catch (error) {
        failures.push(String(error));
      }
    }
  };
  const knocking = Array.from({ length: 8 }, knock);
  for (let round = 0; round < 5; round++) await upgrade(gateway);
  isOver = true;
  await Promise.all(knocking);
  expect(failures).toEqual([]);
  expect(opened).toBeGreaterThan(100);
}, 60_000);

test("a connection between two requests, and half a head, are taken over", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  const [idle, half] = [await RawClient.open(portOf(gateway)), await RawClient.open(portOf(gateway))];
  const request = "GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n";
  idle.write(request);
  await until(() => idle.text.includes("here"));
  half.write(request.slice(0, 20));
  await upgrade(gateway);
  idle.write(request);
  half.write(request.slice(20));
  await until(() => idle.text.split("here").length === 3 && half.text.includes("here"));
  expect(gateway.event("worker-upgraded")).toMatchObject({ connections: expect.any(Number) });
  idle.end();
  half.end();
});

test("a session is as old as it is, whoever has it", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  const peer = await WsPeer.open(portOf(gateway), { path: "/live" });
  const openedAt = performance.now();
  await upgrade(gateway);
  const oldMs = performance.now() - openedAt;
  await upgrade(gateway);
  peer.socket.close(1000);
  await until(() => gateway.lines.some(({ kind }) => kind === "session-close"));
  const line = gateway.lines.find(({ kind }) => kind === "session-close");
  // It changes hands in a fraction of the time that a new process takes to start.
  expect(line?.durationMs).toBeGreaterThan(oldMs);
  expect(line?.durationMs).toBeLessThan(performance.now() - openedAt + 50);
});

test("a reader that was slow gets everything from the process that takes over", async () => {
  const size = 20_000_000;
  const sent = new Bun.CryptoHasher("sha1");
  await using app = await WsApp.open((peer) => {
    for (let at = 0; at < 20; at++) {
      const message = crypto.getRandomValues(new Uint8Array(size / 20).subarray(0, 65_536));
      const whole = Buffer.alloc(size / 20, message);
      sent.update(whole);
      peer.send(whole);
    }
  });
  await using gateway = await RunningGateway.open(yaml(app));
  const peer = await WsPeer.open(portOf(gateway), { path: "/live" });
  peer.socket.pause();
  await until(async () => {
    const { items } = (await gateway.admin("/api/sessions")).body as { items: { queuedToClient: number }[] };
    return (items[0]?.queuedToClient ?? 0) > 100_000;
  });
  await upgrade(gateway);
  await upgrade(gateway);
  peer.socket.resume();
  await until(() => peer.messages.length === 20, 10_000);
  const got = new Bun.CryptoHasher("sha1");
  for (const message of peer.messages) got.update(message);
  expect(got.digest("hex")).toBe(sent.digest("hex"));
}, 30_000);

test("a closing handshake that has begun is finished by the process that takes over", async () => {
  const held: WsPeer[] = [];
  await using app = await WsApp.open((peer) => held.push(peer));
  await using gateway = await RunningGateway.open(yaml(app));
  const peer = await WsPeer.open(portOf(gateway), { path: "/live" });
  await until(() => held.length === 1);
  const [application] = held;
  application?.socket.pause();
  peer.socket.close(4321, "on its way");
  await until(async () => {
    const { items } = (await gateway.admin("/api/sessions?state=closing")).body as { items: unknown[] };
    return items.length === 1;
  });
  await upgrade(gateway);
  application?.socket.resume();
  expect(await peer.untilEnd()).toEqual({ code: 4321, reason: "on its way" });
  expect(await application?.untilEnd()).toEqual({ code: 4321, reason: "on its way" });
  await until(async () => ((await gateway.admin("/api/sessions")).body as { total: number }).total === 0);
});

test("sessions that a change of the configuration drains are drained by the process that takes over", async () => {
  await using app = await WsApp.open(echo);
  const drained = yaml(app).replace('"window":"0s","grace":"1s"', '"window":"3s","grace":"5s"');
  await using gateway = await RunningGateway.open(drained);
  const peers = await Promise.all(Array.from({ length: 10 }, () => WsPeer.open(portOf(gateway), { path: "/live" })));
  gateway.write(drained.replaceAll('"live"', '"other"'));
  await until(async () => (await gateway.admin("/api/config")).body.revision === 2);
  await upgrade(gateway);
  for (const peer of peers) expect((await peer.untilEnd()).code).toBe(1012);
});
