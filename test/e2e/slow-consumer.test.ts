import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeFrame, someMask } from "../support/frames.ts";
import { handshake } from "../support/handshake.ts";
import { Metrics } from "../support/metrics.ts";
import { residentMemory } from "../support/process-figures.ts";
import { RawClient } from "../support/raw-client.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { ScriptedBackend } from "../support/scripted-backend.ts";
import { siteYaml } from "../support/site-yaml.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

const megabyte = 1 << 20;
/** The high-water mark of one direction, and the most that one read brings. */
const mark = 262_144 + 524_288;
const offered = 200 * megabyte;

let flood: ScriptedBackend;
let deaf: ScriptedBackend;
let app: WsApp;
let gateway: RunningGateway;
let port = 0;

beforeAll(async () => {
  const piece = makeFrame({ opcode: 2, payload: Buffer.alloc(megabyte - 10) });
  flood = ScriptedBackend.open(async (connection) => {
    connection.switch(await connection.request());
    for (let sent = 0; sent < offered; sent += piece.length) connection.write(piece);
  });
  deaf = ScriptedBackend.open(async (connection) => {
    connection.switch(await connection.request()).pause();
  });
  app = await WsApp.open(echo);
  const upstreams = {
    deaf: [`127.0.0.1:${deaf.port}`],
    flood: [`127.0.0.1:${flood.port}`],
    echo: [`127.0.0.1:${app.port}`],
  };
  gateway = await RunningGateway.open(siteYaml({ upstreams }));
  port = gateway.ready.listeners[0]?.port ?? 0;
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
  await flood[Symbol.asyncDispose]();
  await deaf[Symbol.asyncDispose]();
});

/** A client that asks for a flood and reads nothing of it. */
async function stalled(): Promise<RawClient> {
  const client = await RawClient.open(port, { keep: false });
  client.pause();
  return client.write(handshake({ target: "/flood/" }));
}

/** Times of echoes one after the other (ms), sorted. */
async function roundTrips(count: number): Promise<number[]> {
  const peer = await WsPeer.open(port, { path: "/echo/" });
  peer.keeps = false;
  const times: number[] = [];
  for (let at = 0; at < count; at++) {
    const startedAt = performance.now();
    const back = new Promise<void>((resolve) => {
      peer.onMessage = () => resolve();
    });
    peer.send("hello");
    await back;
    times.push(performance.now() - startedAt);
  }
  peer.socket.close();
  return times.sort((a, b) => a - b);
}

async function queuedBytes(towards: "client" | "upstream" = "client"): Promise<number> {
  return (await Metrics.read(gateway.ready.admin)).sum("causeway_queued_bytes", `towards="${towards}"`);
}

/** The least resident memory of the worker within a time (ms): what is garbage is gone then. */
async function leastMemory(ms: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (const endsAt = performance.now() + ms; performance.now() < endsAt; await Bun.sleep(20)) {
    least = Math.min(least, residentMemory(gateway.ready.workerPid));
    await queuedBytes();
  }
  return least;
}

/** Opens clients with `open` until there are that many, and waits until all there is to fill is full. */
async function stall(
  clients: RawClient[],
  how: { readonly count: number; readonly towards: "client" | "upstream"; readonly open: () => Promise<RawClient> },
): Promise<void> {
  while (clients.length < how.count) clients.push(await how.open());
  await until(async () => (await queuedBytes(how.towards)) > how.count * 262_144, 20_000);
  expect(await queuedBytes(how.towards)).toBeLessThan(how.count * mark);
}

/** What the worker's memory grows by for each further one (bytes); the first twenty have warmed it up. */
async function costOfOne(
  clients: RawClient[],
  how: { readonly towards: "client" | "upstream"; readonly open: () => Promise<RawClient> },
): Promise<number> {
  await stall(clients, { ...how, count: 20 });
  const before = await leastMemory(1000);
  await stall(clients, { ...how, count: 60 });
  return ((await leastMemory(3000)) - before) / 40;
}

test("AC-12.1: clients that read nothing of a flood cost no more than the marks", async () => {
  const clients: RawClient[] = [];
  expect(await costOfOne(clients, { towards: "client", open: stalled })).toBeLessThan(mark + megabyte / 4);
  const { body } = await gateway.admin("/api/sessions?route=flood");
  const items = body.items as { queuedToClient: number }[];
  expect(items).toHaveLength(60);
  expect(Math.max(...items.map((item) => item.queuedToClient))).toBeLessThan(mark);
  for (const client of clients) client.reset();
  await until(async () => (await queuedBytes()) === 0, 15_000);
}, 60_000);

test("AC-12.1: backends that read nothing stop their clients, and cost no more than the marks", async () => {
  const piece = makeFrame({ opcode: 2, payload: Buffer.alloc(megabyte - 14), mask: someMask });
  const open = async () => {
    const client = await RawClient.open(port);
    client.write(handshake({ target: "/deaf/" }));
    expect((await client.response()).status).toBe(101);
    for (let sent = 0; sent < 100; sent++) client.write(piece);
    return client;
  };
  const clients: RawClient[] = [];
  expect(await costOfOne(clients, { towards: "upstream", open })).toBeLessThan(mark + megabyte / 4);
  // The kernel's own buffers take a few megabytes, and the rest stays where it came from.
  for (const client of clients) expect(client.queued).toBeGreaterThan(5 * megabyte);
  for (const connection of [...clients, ...deaf.connections]) connection.reset();
  await until(async () => (await queuedBytes("upstream")) === 0);
}, 60_000);

test("AC-12.2: other sessions do not feel a client that reads nothing, nor its end", async () => {
  await roundTrips(500);
  const alone = await roundTrips(1000);
  const clients = await Promise.all(Array.from({ length: 10 }, stalled));
  await until(async () => (await queuedBytes()) > 10 * 262_144, 10_000);
  const beside = await roundTrips(1000);
  const median = (times: readonly number[]) => times[times.length >> 1] ?? 0;
  expect(median(beside)).toBeLessThan(median(alone) * 2 + 0.5);
  for (const client of clients) client.reset();
}, 60_000);

test("AC-12.1: what a slow client was sent arrives whole once it reads", async () => {
  const client = await stalled();
  await until(async () => (await queuedBytes()) > 262_144);
  client.resume();
  await until(() => client.count >= offered, 20_000);
  client.reset();
}, 60_000);
