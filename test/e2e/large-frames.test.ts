import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeFrame } from "../support/frames.ts";
import { handshake } from "../support/handshake.ts";
import { highest, residentMemory } from "../support/process-figures.ts";
import { RawClient } from "../support/raw-client.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { ScriptedBackend } from "../support/scripted-backend.ts";
import { siteYaml } from "../support/site-yaml.ts";
import { until } from "../support/until.ts";

const megabyte = 1 << 20;
/** Bytes of the frame that is relayed; `CAUSEWAY_LARGE=1` makes it the whole gigabyte. */
const frameSize = process.env.CAUSEWAY_LARGE === undefined ? 512 * megabyte : 1024 * megabyte;
/** What the worker may rise by: both high-water marks and buffers of the event loop. What has passed waits for no collector. */
const allowance = 48 * megabyte;

const block = Buffer.alloc(megabyte, 7);
const fragment = makeFrame({ opcode: 0, payload: "x", isFinal: false });
const fragments = Buffer.concat(Array.from({ length: 50_000 }, () => fragment));
const nothings = Buffer.concat(Array.from({ length: 50_000 }, () => makeFrame({ opcode: 0, isFinal: false })));

type Sender = { write(bytes: Uint8Array): unknown; readonly queued: number };

/** Writes a piece many times, a few at a time. */
async function pour(to: Sender, piece: Uint8Array, times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    to.write(piece);
    if (to.queued > 4 * megabyte) await until(() => to.queued <= megabyte, 20_000);
  }
}

let backend: ScriptedBackend;
let gateway: RunningGateway;

beforeAll(async () => {
  backend = ScriptedBackend.open(async (connection) => {
    const request = await connection.request();
    connection.isKept = false;
    connection.switch(request);
  });
  const upstreams = { app: [`127.0.0.1:${backend.port}`] };
  gateway = await RunningGateway.open(siteYaml({ upstreams }));
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await backend[Symbol.asyncDispose]();
});

/** An open session: the client, and the backend's connection. */
async function open() {
  const at = backend.connections.length;
  const client = await RawClient.open(gateway.ready.listeners[0]?.port ?? 0, { keep: false });
  client.write(handshake({ target: "/app/" }));
  const connection = await backend.connection(at);
  await until(() => connection.requests.length === 1 && client.count > 0);
  return { client, connection, head: client.count };
}

/** How much the worker's memory rises at most while `work` goes on. */
async function rise(work: () => Promise<unknown>): Promise<number> {
  const pid = gateway.ready.workerPid;
  const before = residentMemory(pid);
  return (await highest(() => residentMemory(pid), work())) - before;
}

test("AC-16.1: one very large frame passes to the client in flat memory", async () => {
  const { client, connection, head } = await open();
  const start = makeFrame({ opcode: 2, claims: BigInt(frameSize), lengthForm: 64 });
  const relay = async () => {
    const goal = client.count + start.length + frameSize;
    connection.write(start);
    await pour(connection, block, frameSize / megabyte);
    await client.untilBytes(goal, 30_000);
  };
  await relay();
  const more = await rise(relay);
  expect(client.count).toBe(head + 2 * (start.length + frameSize));
  expect(more).toBeLessThan(allowance);
  client.reset();
}, 60_000);

test("AC-16.1: one very large masked frame passes to the backend in flat memory", async () => {
  const { client, connection } = await open();
  const start = makeFrame({ opcode: 2, claims: BigInt(frameSize), lengthForm: 64, mask: new Uint8Array(4) });
  const before = connection.count;
  const more = await rise(async () => {
    client.write(start);
    await pour(client, block, frameSize / megabyte);
    await until(() => connection.count >= before + start.length + frameSize, 30_000);
  });
  expect(connection.count).toBe(before + start.length + frameSize);
  expect(more).toBeLessThan(allowance);
  client.reset();
}, 60_000);

test("AC-16.1: a message of a million fragments passes, and all are counted", async () => {
  const { client, connection, head } = await open();
  const goal = client.count + fragments.length * 20;
  connection.write(makeFrame({ opcode: 1, payload: "", isFinal: false }));
  const more = await rise(async () => {
    await pour(connection, fragments, 20);
    connection.write(makeFrame({ opcode: 0, payload: "" }));
    await client.untilBytes(goal + 4, 30_000);
  });
  expect(client.count).toBe(head + fragments.length * 20 + 4);
  expect(more).toBeLessThan(allowance);
  const { body } = await gateway.admin("/api/sessions");
  const sessions = body.items as { fromUpstream: { frames: number; messages: number } }[];
  expect(sessions.at(-1)?.fromUpstream).toMatchObject({ frames: 1_000_002, messages: 1 });
  client.reset();
}, 60_000);

test("S16: millions of empty fragments without an end leave memory flat", async () => {
  const { client, connection, head } = await open();
  connection.write(makeFrame({ opcode: 1, isFinal: false }));
  const more = await rise(async () => {
    await pour(connection, nothings, 60);
    await client.untilBytes(head + nothings.length * 60, 30_000);
  });
  expect(more).toBeLessThan(allowance);
  client.reset();
}, 60_000);
