import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type IssuedPair, issueCertificate } from "../../src/kit/issue-certificate.ts";
import type { Target } from "../load/orders.ts";
import { allowedCores } from "../measure/machine.ts";
import { LoadProcess } from "./load-process.ts";

const canPin = Bun.which("taskset") !== null;
const [core = 0] = allowedCores();

/** A load process or echo server with a folder of its own. */
function start(script: string, argument: string): AsyncDisposable & { readonly process: LoadProcess } {
  const folder = mkdtempSync(join(tmpdir(), "bench-test-"));
  const process = LoadProcess.start(script, argument, { core, folder, logFile: join(folder, "log") });
  const end = async () => {
    await process[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  };
  return { process, [Symbol.asyncDispose]: end };
}

const site = issueCertificate({ name: "site", hosts: ["127.0.0.1"] });

function targetOf(port: number, payloadBytes: number, tls?: Target["tls"]): string {
  return JSON.stringify({ host: "127.0.0.1", port, payloadBytes, tls });
}

const measurement = { warmupMs: 10, measureMs: 50, watched: [], cores: { proxy: 0, load: 0 } };

type ServerWish = { readonly tls?: IssuedPair; readonly port?: number };

/** An independent WebSocket server, which may spoil what it echoes, or end the session. */
function serve(spoil: (message: Buffer) => Buffer | undefined, { tls, port = 0 }: ServerWish = {}) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port,
    ...(tls === undefined ? {} : { tls }),
    fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("no", { status: 400 })),
    websocket: { message: (socket, message) => void answer(socket, spoil(Buffer.from(message))) },
  });
}

/** Nothing to say is the end of the session. */
function answer(socket: Bun.ServerWebSocket, message: Buffer | undefined): void {
  if (message === undefined) socket.terminate();
  else socket.send(message);
}

describe.skipIf(!canPin)("load processes", () => {
  test.each([
    ["ws-load.ts", 64],
    ["ws-load.ts", 16_384],
    ["handshake-load.ts", 64],
    ["http-load.ts", 1024],
  ])("%s with %p bytes runs without errors against the echo server", async (script, bytes) => {
    await using echo = start("echo-server.ts", String(bytes));
    const { port } = await echo.process.answer("listen");
    await using load = start(script, targetOf(port, bytes));
    expect((await load.process.obey({ do: "open", count: 8 })).failures).toEqual([]);
    const { sample } = await load.process.obey({ do: "run", measurement });
    expect(sample.operations).toBeGreaterThan(10);
    expect(sample.p99Micros).toBeGreaterThanOrEqual(sample.p50Micros);
    expect((await load.process.obey({ do: "close" })).failures).toEqual([]);
  });

  test("WebSocket sessions run without errors against an independent server", async () => {
    await using server = serve((message) => message);
    await using load = start("ws-load.ts", targetOf(server.port ?? 0, 16_384));
    expect((await load.process.obey({ do: "open", count: 4 })).failures).toEqual([]);
    expect((await load.process.obey({ do: "run", measurement })).sample.operations).toBeGreaterThan(4);
    expect((await load.process.obey({ do: "close" })).failures).toEqual([]);
  });

  test.each([
    ["ws-load.ts", false],
    ["handshake-load.ts", false],
    ["handshake-load.ts", true],
  ])("%s runs over TLS without errors against an independent server (resumed: %p)", async (script, resumes) => {
    await using server = serve((message) => message, { tls: site });
    await using load = start(script, targetOf(server.port ?? 0, 64, { ca: site.cert, resumes }));
    expect((await load.process.obey({ do: "open", count: 4 })).failures).toEqual([]);
    expect((await load.process.obey({ do: "run", measurement })).sample.operations).toBeGreaterThan(4);
    expect((await load.process.obey({ do: "close" })).failures).toEqual([]);
  });

  test("a full handshake where an earlier session should have been resumed is an error", async () => {
    const other = issueCertificate({ name: "other", hosts: ["127.0.0.1"] });
    const first = serve((message) => message, { tls: site });
    const { port = 0 } = first;
    await using load = start("handshake-load.ts", targetOf(port, 64, { ca: site.cert + other.cert, resumes: true }));
    expect((await load.process.obey({ do: "open", count: 2 })).failures).toEqual([]);
    await first.stop(true);
    await using _second = serve((message) => message, { tls: other, port });
    const { failures } = await load.process.obey({ do: "open", count: 2 });
    expect(failures).toEqual([{ what: "session not resumed", count: 2 }]);
  });

  test("a certificate that is not the expected one is an error", async () => {
    await using server = serve((message) => message, {
      tls: issueCertificate({ name: "other", hosts: ["127.0.0.1"] }),
    });
    await using load = start("ws-load.ts", targetOf(server.port ?? 0, 64, { ca: site.cert, resumes: false }));
    expect((await load.process.obey({ do: "open", count: 2 })).failures).not.toEqual([]);
  });

  test("an echo that differs in one byte is an error", async () => {
    await using server = serve((message) => message.fill(0, 20, 21));
    await using load = start("ws-load.ts", targetOf(server.port ?? 0, 64));
    const { failures } = await load.process.obey({ do: "open", count: 2 });
    expect(failures).toContainEqual({ what: "echo differs from what was sent", count: 2 });
  });

  test("sessions that are lost are counted, and opened again", async () => {
    let messages = 0;
    await using server = serve((message) => (++messages === 1 ? undefined : message));
    await using load = start("steady-load.ts", targetOf(server.port ?? 0, 64));
    expect((await load.process.obey({ do: "open", count: 4 })).failures).toEqual([]);
    const { timeline, failures } = await load.process.obey({ do: "follow", forMs: 600, bucketMs: 100 });
    expect(failures).toEqual([]);
    expect(timeline.buckets).toHaveLength(6);
    expect(timeline.buckets.reduce((sum, { lost }) => sum + lost, 0)).toBe(1);
    expect(timeline.buckets.at(-1)?.open).toBe(4);
    expect((await load.process.obey({ do: "close" })).failures).toEqual([]);
  });

  test("refused handshakes and wrong responses are errors", async () => {
    await using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("y".repeat(1024)) });
    await using sessions = start("handshake-load.ts", targetOf(server.port ?? 0, 64));
    expect((await sessions.process.obey({ do: "open", count: 2 })).failures).toContainEqual({
      what: "handshake refused",
      count: 2,
    });
    await using requests = start("http-load.ts", targetOf(server.port ?? 0, 1024));
    const { failures } = await requests.process.obey({ do: "open", count: 2 });
    expect(failures).toContainEqual({ what: "response differs from what the upstream sent", count: 2 });
  });

  test("nobody listening is an error", async () => {
    await using server = serve((message) => message);
    const { port = 0 } = server;
    await server.stop(true);
    await using load = start("ws-load.ts", targetOf(port, 64));
    expect((await load.process.obey({ do: "open", count: 2 })).failures).toEqual([
      { what: "connection refused", count: 2 },
    ]);
  });

  test("the echo server answers messages of an independent client that masks", async () => {
    await using echo = start("echo-server.ts", "64");
    const { port } = await echo.process.answer("listen");
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    socket.onopen = () => socket.send("hello".repeat(100));
    socket.onmessage = ({ data }) => resolve(String(data));
    socket.onerror = () => reject(new Error("the connection failed"));
    expect(await promise).toBe("hello".repeat(100));
    const closed = Promise.withResolvers<number>();
    socket.onclose = ({ code }) => closed.resolve(code);
    socket.close(4321);
    expect(await closed.promise).toBe(4321);
  });
});
