import { expect, test } from "bun:test";
import { RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

type Shown = { readonly address: string; readonly state: string; readonly since: number; readonly sessions: number };

async function shown(gateway: RunningGateway): Promise<Shown[]> {
  const { body } = await gateway.admin("/api/upstreams");
  const [upstream] = body.items as [{ endpoints: Shown[] }];
  return upstream.endpoints;
}

test("a new control process knows which endpoints are drained and which are dead, and workers see no difference", async () => {
  await using one = await WsApp.open(echo);
  await using other = await WsApp.open(echo);
  const gone = await WsApp.open();
  const dead = gone.port;
  await gone[Symbol.asyncDispose]();
  const yaml = `
admin: { address: "127.0.0.1:0" }
workers: 2
drain: { window: 0s, grace: 1s }
listeners: { web: { address: "127.0.0.1:0" } }
upstreams:
  app:
    endpoints: [ "127.0.0.1:${one.port}", "127.0.0.1:${other.port}", "127.0.0.1:${dead}" ]
    health: { type: tcp, interval: 200ms }
    drain: off
routes: { all: { to: app } }
`;
  await using killed = await RunningGateway.open(yaml, { isTied: false });
  const port = killed.ready.listeners[0]?.port ?? 0;
  await until(async () => (await shown(killed)).map(({ state }) => state).join() === "healthy,healthy,unhealthy");
  const peers = await Promise.all(Array.from({ length: 6 }, () => WsPeer.open(port)));
  const target = `/api/upstreams/app/endpoints/${encodeURIComponent(`127.0.0.1:${one.port}`)}/drain`;
  expect((await killed.admin(target, "POST")).status).toBe(200);
  await until(async () => (await shown(killed))[0]?.state === "draining");
  const before = await shown(killed);
  killed.kill("SIGKILL");
  await killed.exited;
  await using next = await RunningGateway.open(yaml, { file: killed.file, isTied: false });
  const after = await shown(next);
  const facts = (endpoints: readonly Shown[]) =>
    endpoints.map(({ address, state, since, sessions }) => ({ address, state, since, sessions }));
  expect(facts(after)).toEqual(facts(before));
  peers.push(...(await Promise.all(Array.from({ length: 4 }, () => WsPeer.open(port)))));
  expect((await shown(next))[0]?.sessions).toBe(before[0]?.sessions ?? -1);
  expect((await next.admin(target, "DELETE")).body).toMatchObject({ isDraining: false });
  await until(async () => (await shown(next))[0]?.state === "healthy");
  for (const peer of peers) peer.send("still there");
  await until(() => peers.every(({ socket }) => socket.readyState === socket.OPEN));
  expect(peers.filter(({ end }) => end !== undefined)).toEqual([]);
  next.kill("SIGTERM");
  expect(await next.exited).toBe(0);
}, 15_000);
