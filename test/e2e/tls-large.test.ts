import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { crc32 } from "node:zlib";
import { closeContent, makeFrame, someMask } from "../support/frames.ts";
import { handshake, request } from "../support/handshake.ts";
import { megabyte, piece, pour, type Sender, stuff, summing } from "../support/large-traffic.ts";
import { Metrics } from "../support/metrics.ts";
import { highest, residentMemory } from "../support/process-figures.ts";
import { RawClient } from "../support/raw-client.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { type BackendConnection, okAnswer, ScriptedBackend } from "../support/scripted-backend.ts";
import { markSecure, testAuthority, testSite } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { until } from "../support/until.ts";

const frameSize = 256 * megabyte;
const bodySize = 200 * megabyte;
/** How far memory may rise above that of a fresh worker while bytes flow (15 to 30 MB were seen). Content that is kept would be all of `frameSize`. */
const mostRise = 96 * megabyte;
/** What a stalled session may keep: the marks of both directions, what one read brings, and what a collection has not fetched yet. */
const mostStalled = 32 * megabyte;

const files = TlsFiles.make();
let backends: { readonly plain: ScriptedBackend; readonly secure: ScriptedBackend };
let gateway: RunningGateway;
let mark: Disposable | undefined;
/** The worker's memory before it carried anything. */
let fresh = 0;

/** Handshakes get a 101; of requests, GET gets a body, and POST is taken as it comes. */
async function play(connection: BackendConnection): Promise<void> {
  await connection.until(() => connection.text.includes("\r\n\r\n"));
  connection.isKept = false;
  if (connection.text.includes("Upgrade")) connection.switch(await connection.request());
  else if (connection.text.startsWith("GET"))
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bodySize}\r\nConnection: close\r\n\r\n`);
}

beforeAll(async () => {
  backends = { plain: ScriptedBackend.open(play, undefined), secure: ScriptedBackend.open(play, testSite()) };
  const certificates = [files.add("site", testSite())];
  const ca = files.write("authority.pem", testAuthority().cert);
  const to = (name: string) => ({ match: { path: `/${name}` }, filters: [{ rewrite: { prefix: "/" } }], to: name });
  gateway = await RunningGateway.open(
    JSON.stringify({
      admin: { address: "127.0.0.1:0" },
      log: { format: "json" },
      drain: { window: "0s", grace: "1s" },
      listeners: { plain: { address: "127.0.0.1:0" }, secure: { address: "127.0.0.1:0", tls: { certificates } } },
      upstreams: {
        plain: { endpoints: [`127.0.0.1:${backends.plain.port}`] },
        secure: { endpoints: [`wss://127.0.0.1:${backends.secure.port}`], tls: { ca } },
      },
      routes: { plain: to("plain"), secure: to("secure") },
    }),
  );
  mark = markSecure(port("secure"));
  fresh = residentMemory(gateway.ready.workerPid);
}, 15_000);

afterAll(async () => {
  mark?.[Symbol.dispose]();
  await gateway?.[Symbol.asyncDispose]();
  await backends?.plain[Symbol.asyncDispose]();
  await backends?.secure[Symbol.asyncDispose]();
  files[Symbol.dispose]();
});

function port(listener: string): number {
  return gateway.ready.listeners.find(({ name }) => name === listener)?.port ?? 0;
}

/** How far the worker's memory gets above what it was before it carried anything, while `work` goes on. */
async function rise(work: Promise<unknown>): Promise<number> {
  return (await highest(() => residentMemory(gateway.ready.workerPid), work)) - fresh;
}

type Way = { readonly listener: "plain" | "secure"; readonly upstream: "plain" | "secure" };
const ways: readonly Way[] = [
  { listener: "secure", upstream: "plain" },
  { listener: "plain", upstream: "secure" },
];

/** A client that has said something, and the backend's connection that it has come to. */
async function say(way: Way, text: string): Promise<{ client: RawClient; connection: BackendConnection }> {
  const at = backends[way.upstream].connections.length;
  const client = await RawClient.open(port(way.listener), { keep: false });
  client.write(text);
  return { client, connection: await backends[way.upstream].connection(at) };
}

/** An open session. */
async function openSession(way: Way): Promise<{ client: RawClient; connection: BackendConnection }> {
  const ends = await say(way, handshake({ target: `/${way.upstream}/` }));
  await until(() => ends.connection.requests.length === 1 && ends.client.count > 0);
  return ends;
}

describe.each(ways)("with a $listener listener and a $upstream upstream", (way) => {
  test("AC-16.1: a frame of 256 MB arrives whole at the client, and leaves memory flat", async () => {
    const { client, connection } = await openSession(way);
    const start = makeFrame({ opcode: 2, claims: BigInt(frameSize), lengthForm: 64 });
    const seen = summing(client, start.length);
    const relay = async () => {
      connection.write(start);
      const sum = await pour(connection, frameSize);
      await until(() => seen.count >= frameSize, 20_000);
      expect(seen).toEqual({ sum, count: frameSize });
    };
    expect(await rise(relay())).toBeLessThan(mostRise);
    client.reset();
  }, 30_000);

  test("AC-16.1: a frame of 256 MB arrives whole at the backend, and leaves memory flat", async () => {
    const { client, connection } = await openSession(way);
    const start = makeFrame({ opcode: 2, claims: BigInt(frameSize), lengthForm: 64, mask: someMask });
    const seen = summing(connection, start.length);
    const relay = async () => {
      client.write(start);
      const sum = await pour(client, frameSize);
      await until(() => seen.count >= frameSize, 20_000);
      expect(seen).toEqual({ sum, count: frameSize });
    };
    expect(await rise(relay())).toBeLessThan(mostRise);
    client.reset();
  }, 30_000);

  test("a download of 200 MB arrives whole, and its connection ends in order", async () => {
    const at = backends[way.upstream].connections.length;
    await using client = await RawClient.open(port(way.listener), { keep: false });
    const seen = { sum: 0, count: 0, head: "" };
    client.onBytes = (bytes) => {
      const end = seen.head !== "" ? 0 : bytes.indexOf("\r\n\r\n") + 4;
      seen.head += bytes.toString("latin1", 0, end);
      seen.sum = crc32(bytes.subarray(end), seen.sum);
      seen.count += bytes.length - end;
    };
    client.write(request({ target: `/${way.upstream}/`, headers: { Connection: "close" } }));
    const connection = await backends[way.upstream].connection(at);
    await until(() => !connection.isKept);
    const sum = await pour(connection, bodySize);
    connection.end();
    await client.untilEnd(20_000);
    expect(seen).toMatchObject({ sum, count: bodySize });
    expect(client.wasReset).toBe(false);
  }, 30_000);

  test("an upload of 200 MB arrives whole", async () => {
    const head = { method: "POST", target: `/${way.upstream}/`, headers: { "Content-Length": `${bodySize}` } };
    const { client, connection } = await say(way, request(head));
    await until(() => !connection.isKept);
    const seen = summing(connection, 0);
    const sum = await pour(client, bodySize);
    await until(() => seen.count >= bodySize, 20_000);
    expect(seen).toEqual({ sum, count: bodySize });
    connection.write(okAnswer("taken", "Connection: close\r\n")).end();
    await until(() => client.count > 0);
    client.reset();
  }, 30_000);

  test.each(["client", "backend"] as const)(
    "a %s that reads nothing stops the other side, and loses nothing",
    async (deaf) => {
      const { client, connection } = await openSession(way);
      const [from, to] = deaf === "client" ? [connection, client] : [client, connection];
      const mask = deaf === "client" ? {} : { mask: someMask };
      const start = makeFrame({ opcode: 2, claims: BigInt(64 * megabyte), lengthForm: 64, ...mask });
      const seen = summing(to, start.length);
      to.pause();
      const before = residentMemory(gateway.ready.workerPid);
      from.write(start);
      let sum = 0;
      for (let at = 0; at < 64; at++) {
        sum = crc32(piece(at), sum);
        from.write(piece(at));
      }
      await untilStuck(from);
      expect(from.queued).toBeGreaterThan(32 * megabyte);
      expect(residentMemory(gateway.ready.workerPid) - before).toBeLessThan(mostStalled);
      expect(await queued()).toBeLessThan(2 * megabyte);
      to.resume();
      await until(() => seen.count >= 64 * megabyte, 20_000);
      expect(seen).toEqual({ sum, count: 64 * megabyte });
      client.reset();
    },
    30_000,
  );

  test("AC-4.4: a client that reads slowly gets the last megabytes, the Close frame behind them, and an orderly end", async () => {
    const { client, connection } = await openSession(way);
    const content = stuff.subarray(0, megabyte + 17);
    const last = Buffer.concat([
      ...Array.from({ length: 8 }, () => makeFrame({ opcode: 2, payload: content })),
      makeFrame({ opcode: 8, payload: closeContent(4321, "over") }),
    ]);
    const seen = summing(client, 0);
    connection.write(last);
    while (seen.count < last.length) {
      client.pause();
      await Bun.sleep(10);
      client.resume();
      const had = seen.count;
      await until(() => seen.count > had, 5000);
    }
    expect(seen).toEqual({ sum: crc32(last), count: last.length });
    client.write(makeFrame({ opcode: 8, payload: closeContent(4321, "over"), mask: someMask }));
    await until(() => connection.count > 0);
    connection.end();
    await client.untilEnd();
    expect(client.wasReset).toBe(false);
  }, 30_000);

  test("a backend that sends all and ends at once is heard to its last byte", async () => {
    const { client, connection } = await openSession(way);
    const last = Buffer.concat([
      makeFrame({ opcode: 2, payload: stuff }),
      makeFrame({ opcode: 8, payload: closeContent(1001) }),
    ]);
    const seen = summing(client, 0);
    connection.write(last).end();
    await until(() => seen.count >= last.length, 5000);
    expect(seen).toEqual({ sum: crc32(last), count: last.length });
    client.write(makeFrame({ opcode: 8, payload: closeContent(1001), mask: someMask }));
    await client.untilEnd();
    expect(client.wasReset).toBe(false);
  }, 30_000);

  test("a client that ends its direction behind its request still gets the answer", async () => {
    const { client, connection } = await say(
      way,
      request({ target: `/${way.upstream}/`, headers: { Connection: "close" } }),
    );
    client.end();
    await until(() => !connection.isKept);
    const sum = await pour(connection, bodySize / 10);
    connection.end();
    await client.untilEnd(20_000);
    expect(sum).not.toBe(0);
    expect(client.count).toBeGreaterThan(bodySize / 10);
  }, 30_000);
});

/** Waits until a sender gets rid of nothing for half a second. */
async function untilStuck(sender: Sender): Promise<void> {
  let [least, since] = [sender.queued, performance.now()];
  await until(() => {
    if (sender.queued !== least) [least, since] = [sender.queued, performance.now()];
    return performance.now() - since > 500;
  }, 15_000);
}

/** Bytes that the gateway holds for those who do not read. */
async function queued(): Promise<number> {
  return (await Metrics.read(gateway.ready.admin)).sum("causeway_queued_bytes");
}
