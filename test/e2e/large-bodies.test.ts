import { afterAll, beforeAll, expect, test } from "bun:test";
import { request } from "../support/handshake.ts";
import { header } from "../support/http-message.ts";
import { highest, residentMemory } from "../support/process-figures.ts";
import { RawClient } from "../support/raw-client.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { type BackendConnection, okAnswer, ScriptedBackend } from "../support/scripted-backend.ts";
import { siteYaml } from "../support/site-yaml.ts";
import { until } from "../support/until.ts";

const megabyte = 1 << 20;
/** Bytes of each body. */
const size = 1024 * megabyte;
/** What may be on its way: both high-water marks, buffers of the event loop, and what a collection has not fetched yet. */
const allowance = 32 * megabyte;
/**
 * The same from a fresh worker on, while bytes flow at a gigabyte a second: reads of half a megabyte each wait for the collector, 70 to
 * 170 MB whatever the size of the body. A body that is kept takes four times the limit.
 */
const mostRise = 256 * megabyte;

const block = Buffer.alloc(megabyte, 7);
const chunk = Buffer.concat([Buffer.from("100000\r\n"), block, Buffer.from("\r\n")]);

type Sender = { write(bytes: Uint8Array | string): unknown; readonly queued: number };

/** Writes a body of `size` bytes, a few at a time. */
async function pour(to: Sender, framing: "length" | "chunked"): Promise<void> {
  for (let sent = 0; sent < size; sent += megabyte) {
    to.write(framing === "length" ? block : chunk);
    if (to.queued > 4 * megabyte) await until(() => to.queued <= megabyte, 20_000);
  }
  if (framing === "chunked") to.write("0\r\n\r\n");
}

let backend: ScriptedBackend;
let gateway: RunningGateway;
/** The worker's memory before it carried anything. */
let fresh = 0;

/** Reads a body of whichever framing without keeping it, and answers once all of it has come. */
async function swallow(connection: BackendConnection): Promise<void> {
  await connection.until(() => connection.text.includes("\r\n\r\n"));
  const head = connection.text.indexOf("\r\n\r\n") + 4;
  const isChunked = /transfer-encoding: chunked/i.test(connection.text.slice(0, head));
  connection.isKept = false;
  await connection.until(() => connection.count >= head + size);
  if (isChunked) await connection.until(() => connection.count > head + size + 5);
  connection.write(okAnswer("taken", "Connection: close\r\n"));
}

beforeAll(async () => {
  backend = ScriptedBackend.open(async (connection) => {
    await connection.until(() => connection.text.includes("\r\n\r\n"));
    if (connection.text.startsWith("POST")) return swallow(connection);
    const asked = await connection.request();
    const framing = asked.line.includes("/chunked") ? "chunked" : "length";
    const line = framing === "chunked" ? "Transfer-Encoding: chunked" : `Content-Length: ${size}`;
    connection.write(`HTTP/1.1 200 OK\r\n${line}\r\nConnection: close\r\n\r\n`);
    await pour(connection, framing);
  });
  gateway = await RunningGateway.open(siteYaml({ upstreams: { app: [`127.0.0.1:${backend.port}`] } }));
  fresh = residentMemory(gateway.ready.workerPid);
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await backend[Symbol.asyncDispose]();
});

/** How far the worker's memory gets above what it was before it carried anything, while `work` goes on. */
async function rise(work: () => Promise<unknown>): Promise<number> {
  const pid = gateway.ready.workerPid;
  return (await highest(() => residentMemory(pid), work())) - fresh;
}

const open = (keep: boolean): Promise<RawClient> => RawClient.open(gateway.ready.listeners[0]?.port ?? 0, { keep });

async function download(framing: "length" | "chunked"): Promise<void> {
  await using client = await open(false);
  client.write(request({ target: `/app/${framing}`, headers: { Connection: "close" } }));
  await client.untilEnd(30_000);
  expect(client.count).toBeWithin(size, size + size / 50);
}

async function upload(framing: "length" | "chunked"): Promise<void> {
  await using client = await open(true);
  const lengths = framing === "length" ? { "Content-Length": `${size}` } : { "Transfer-Encoding": "chunked" };
  client.write(request({ method: "POST", target: "/app/", headers: { ...lengths, Connection: "close" } }));
  await pour(client, framing);
  const response = await client.response("POST", 30_000);
  expect([response.status, header(response, "content-length")]).toEqual([200, "5"]);
}

for (const [says, transfer] of [
  ["a download", download],
  ["an upload", upload],
] as const) {
  for (const framing of ["length", "chunked"] as const) {
    test(`HTTP: ${says} of a gigabyte passes in flat memory (${framing})`, async () => {
      expect(await rise(() => transfer(framing))).toBeLessThan(mostRise);
    }, 60_000);
  }
}

for (const says of ["a client that does not read", "a backend that does not read"] as const) {
  test(`HTTP: ${says} stops the other side, and costs no more than the marks`, async () => {
    await using client = await open(false);
    const connections = backend.connections.length;
    const before = residentMemory(gateway.ready.workerPid);
    let sender: Sender = client;
    if (says.startsWith("a client")) {
      client.write(request({ target: "/app/length", headers: { Connection: "close" } })).pause();
      sender = await backend.connection(connections);
    } else {
      client.write(request({ method: "POST", target: "/app/", headers: { "Content-Length": `${size}` } }));
      (await backend.connection(connections)).pause();
      client.write(block);
      for (let sent = 0; sent < 32; sent++) client.write(block);
    }
    // What the sender cannot get rid of for half a second is stopped.
    let stuck = -1;
    await until(async () => {
      const isStuck = sender.queued > 0 && sender.queued === stuck;
      stuck = sender.queued;
      await Bun.sleep(500);
      return isStuck && sender.queued === stuck;
    }, 15_000);
    expect(residentMemory(gateway.ready.workerPid) - before).toBeLessThan(allowance);
    client.reset();
  }, 30_000);
}
