import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type ListenOptions } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { probe } from "../../src/controlplane/health/probe.ts";
import { DeafPort } from "../support/deaf-port.ts";
import { GatewayFixture, snapshotOf } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { header, readRequest } from "../support/http-message.ts";
import { type BackendConnection, ScriptedBackend } from "../support/scripted-backend.ts";
import { WsPeer, webSocketServer } from "../support/ws.ts";

/** An application that answers requests with `ok` and the Host, and echoes messages. */
async function openApp(where: ListenOptions): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((asked, answer) => answer.end(`ok ${asked.headers.host}`));
  const sockets = webSocketServer({ server });
  sockets.on("connection", (socket) => socket.on("message", (message) => socket.send(message)));
  await new Promise<void>((resolve) => server.listen(where, resolve));
  const bound = server.address();
  return {
    port: typeof bound === "string" || bound === null ? 0 : bound.port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A name for a socket in a folder of its own. */
function socketPath(): Disposable & { readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), "causeway-socket-"));
  return {
    path: join(folder, "app.sock"),
    [Symbol.dispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function echoed(port: number): Promise<string | undefined> {
  const peer = await WsPeer.open(port);
  const answer = new Promise<string>((resolve) => {
    peer.onMessage = (message) => resolve(message.toString());
  });
  peer.send("hello");
  const text = await answer;
  peer.socket.terminate();
  return text;
}

describe("an endpoint that is a Unix socket", () => {
  test("gets requests and sessions", async () => {
    using socket = socketPath();
    await using _app = await openApp({ path: socket.path });
    await using fixture = GatewayFixture.open({ upstream: { endpoints: [`unix:${socket.path}`] } });
    const client = await fixture.connect();
    client.write(request());
    expect((await client.response()).body.toString()).toBe("ok app.example");
    expect(await echoed(fixture.port)).toBe("hello");
    expect(fixture.records[0]).toMatchObject({ endpoint: `unix:${socket.path}` });
  });

  test("without anybody who listens gets 502, and the next one is tried", async () => {
    using socket = socketPath();
    const upstream = { balance: "round-robin", endpoints: [`unix:${socket.path}`] };
    await using fixture = GatewayFixture.open({ upstream });
    const client = await fixture.connect();
    client.write(request());
    const answer = await client.response();
    expect([answer.status, answer.body.toString().includes(socket.path)]).toEqual([502, false]);
  });

  test("is called localhost where a request of HTTP/1.0 names no host", async () => {
    using socket = socketPath();
    await using _app = await openApp({ path: socket.path });
    await using fixture = GatewayFixture.open({ isDirect: true, upstream: { endpoints: [`unix:${socket.path}`] } });
    const client = await fixture.ask("GET / HTTP/1.0\r\n\r\n");
    expect((await client.response()).body.toString()).toBe("ok localhost");
  });

  test("can be checked", async () => {
    using socket = socketPath();
    await using _app = await openApp({ path: socket.path });
    const [upstream] = snapshotOf({
      upstream: { endpoints: [`unix:${socket.path}`], health: { type: "http" } },
    }).upstreams;
    const settings = upstream?.health?.check?.probe ?? { type: "tcp" };
    const result = await probe(
      { settings, host: `unix:${socket.path}`, port: 0, timeoutMs: 2000 },
      new AbortController().signal,
    );
    expect(result.isGood).toBe(true);
  });
});

test("an endpoint with an IPv6 address gets requests and sessions", async () => {
  await using app = await openApp({ host: "::1", port: 0 });
  await using fixture = GatewayFixture.open({ upstream: { endpoints: [`[::1]:${app.port}`] } });
  const client = await fixture.connect();
  client.write(request());
  expect((await client.response()).body.toString()).toBe("ok app.example");
  expect(await echoed(fixture.port)).toBe("hello");
  expect(fixture.records[0]).toMatchObject({ endpoint: `[::1]:${app.port}` });
});

test("a name with an address of each family is reached whichever of the two is listened on", async () => {
  for (const host of ["127.0.0.1", "::1"]) {
    const app = await openApp({ host, port: 0 });
    await using fixture = GatewayFixture.open({ upstream: { endpoints: [`localhost:${app.port}`] } });
    const client = await fixture.connect();
    client.write(request());
    expect([host, (await client.response()).status]).toEqual([host, 200]);
    await app[Symbol.asyncDispose]();
  }
});

test("a name is reached at once at the address that answers, though another one does not", async () => {
  for (const [silent, good] of [
    ["::1", "127.0.0.1"],
    ["127.0.0.1", "::1"],
  ] as const) {
    await using deaf = await DeafPort.open(silent);
    await using _app = await openApp({ host: good, port: deaf.port });
    const upstream = { endpoints: [`localhost:${deaf.port}`] };
    await using fixture = GatewayFixture.open({ upstream, route: { timeouts: { connect: "2s" } } });
    const client = await fixture.connect();
    client.write(request());
    expect([good, (await client.response()).status]).toEqual([good, 200]);
  }
});

describe("the PROXY protocol", () => {
  /** A backend that takes what comes before each request for a PROXY header, and answers. */
  function openBackend(): ScriptedBackend {
    return ScriptedBackend.open(async (connection: BackendConnection) => {
      let asked: ReturnType<typeof readRequest>;
      await connection.until(() => {
        const from = connection.received.indexOf("GET ");
        asked = from < 0 ? undefined : readRequest(connection.received.subarray(from));
        return asked !== undefined;
      });
      if (asked === undefined || header(asked.message, "upgrade") === undefined)
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      else connection.switch(asked.message);
    });
  }
  const headerOf = ({ received }: BackendConnection): Buffer => received.subarray(0, received.indexOf("GET "));

  for (const [kind, ask, status] of [
    ["request", request, 200],
    ["handshake", handshake, 101],
  ] as const) {
    test(`v1 tells the address of who sent a ${kind}`, async () => {
      await using backend = openBackend();
      await using fixture = GatewayFixture.open({ to: [backend], upstream: { proxyProtocol: "v1" } });
      const client = await fixture.connect();
      client.write(ask());
      expect((await client.response()).status).toBe(status);
      const { client: source = "" } = fixture.records[0] ?? {};
      const line = `PROXY TCP4 127.0.0.1 127.0.0.1 ${source.split(":")[1]} ${fixture.port}\r\n`;
      expect(headerOf(await backend.connection()).toString()).toBe(line);
    });
  }

  test("v2 tells it in bytes", async () => {
    await using backend = openBackend();
    await using fixture = GatewayFixture.open({ to: [backend], upstream: { proxyProtocol: "v2" } });
    const client = await fixture.connect();
    client.write(request());
    await client.response();
    const start = headerOf(await backend.connection());
    const ports = [Number(fixture.records[0]?.client.split(":")[1]), fixture.port];
    expect(start.subarray(0, 24).toString("hex")).toBe("0d0a0d0a000d0a515549540a2111000c7f0000017f000001");
    expect([start.readUInt16BE(24), start.readUInt16BE(26), start.length]).toEqual([...ports, 28] as [
      number,
      number,
      28,
    ]);
  });

  test("tells the client that a trusted proxy speaks for", async () => {
    await using backend = openBackend();
    const listener = { trustedProxies: ["127.0.0.0/8"] };
    await using fixture = GatewayFixture.open({ to: [backend], listener, upstream: { proxyProtocol: "v1" } });
    const client = await fixture.connect();
    client.write(request({ headers: { "X-Forwarded-For": "203.0.113.9" } }));
    await client.response();
    const line = `PROXY TCP4 203.0.113.9 127.0.0.1 0 ${fixture.port}\r\n`;
    expect(headerOf(await backend.connection()).toString()).toBe(line);
  });

  test("a connection that names one client is not used for another one", async () => {
    await using backend = openBackend();
    await using fixture = GatewayFixture.open({ to: [backend], upstream: { proxyProtocol: "v1" } });
    for (let at = 0; at < 2; at++) {
      const client = await fixture.connect();
      client.write(request());
      expect((await client.response()).status).toBe(200);
    }
    expect(backend.connections.length).toBe(2);
  });

  test("a check says that the gateway speaks for itself", async () => {
    const said: Buffer[] = [];
    const server = createTcpServer((socket) => {
      socket.on("data", (bytes) => {
        said.push(Buffer.from(bytes));
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // A server on a TCP port has an address of this kind.
    const { port } = server.address() as AddressInfo;
    const upstream = { endpoints: [`127.0.0.1:${port}`], health: { type: "http" }, proxyProtocol: "v1" };
    const check = snapshotOf({ upstream }).upstreams[0]?.health?.check;
    const { signal } = new AbortController();
    const { probe: settings = { type: "tcp" }, proxyProtocol } = check ?? {};
    const result = await probe({ settings, host: "127.0.0.1", port, timeoutMs: 2000, proxyProtocol }, signal);
    server.close();
    expect(result.isGood).toBe(true);
    expect(Buffer.concat(said).toString()).toStartWith("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n");
  });

  test("is refused together with TLS", () => {
    const upstream = { endpoints: ["https://127.0.0.1:1"], proxyProtocol: "v1" };
    expect(() => snapshotOf({ upstream })).toThrow("upstreams.app.proxyProtocol: the PROXY protocol is not spoken");
  });
});
