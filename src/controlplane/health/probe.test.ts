import { describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answering, ScriptedBackend } from "../../../test/support/scripted-backend.ts";
import { until } from "../../../test/support/until.ts";
import { WsApp } from "../../../test/support/ws.ts";
import type { ProbeSettings } from "../../core/health-settings.ts";
import { issueCertificate } from "../../kit/issue-certificate.ts";
import { OwnedFolder } from "../../kit/owned-folder.ts";
import { type ProbeResult, probe } from "./probe.ts";

const never = new AbortController().signal;
const http = { type: "http", method: "GET", path: "/healthz", statuses: [{ from: 200, to: 399 }] } as const;
const websocket = { type: "websocket", isSecure: false, path: "/live", exchange: { kind: "ping" } } as const;

function run(port: number, settings: ProbeSettings, timeoutMs = 2000): Promise<ProbeResult> {
  return probe({ settings, host: "127.0.0.1", port, timeoutMs }, never);
}

function answer(status: string, body = "", more = ""): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;
}

async function closedPort(): Promise<number> {
  await using backend = ScriptedBackend.open(() => {});
  return backend.port;
}

test("a tcp check is content with a connection, and not without one", async () => {
  await using backend = ScriptedBackend.open(() => {});
  expect(await run(backend.port, { type: "tcp" })).toMatchObject({ isGood: true });
  await until(() => backend.connections[0]?.hasEnded === true);
  expect(await run(await closedPort(), { type: "tcp" })).toMatchObject({ isGood: false });
});

test("a check can go to another port than traffic", async () => {
  await using backend = ScriptedBackend.open(() => {});
  expect(await run(await closedPort(), { type: "tcp", port: backend.port })).toMatchObject({ isGood: true });
});

test("an http check says what it wants and for whom", async () => {
  await using backend = ScriptedBackend.open(answering(answer("204 No Content")));
  expect(await run(backend.port, { ...http, method: "HEAD", host: "app.example" })).toMatchObject({ isGood: true });
  expect(backend.text).toStartWith("HEAD /healthz HTTP/1.1\r\n");
  expect(backend.text).toContain("\r\nHost: app.example\r\n");
  expect(await run(backend.port, http)).toMatchObject({ isGood: true });
  expect(backend.text).toContain(`\r\nHost: 127.0.0.1:${backend.port}\r\n`);
});

const answers = [
  { name: "a good status", says: answer("200 OK"), settings: http, why: undefined },
  { name: "the last good status", says: answer("399 Fine"), settings: http, why: undefined },
  { name: "a bad status", says: answer("503 Service Unavailable"), settings: http, why: "the status is 503" },
  {
    name: "a status that is not on the list",
    says: answer("200 OK"),
    settings: { ...http, statuses: [{ from: 204, to: 204 }] },
    why: "the status is 200",
  },
  {
    name: "an interim answer before it",
    says: "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    settings: http,
    why: undefined,
  },
  {
    name: "the wanted body",
    says: answer("200 OK", '{"status":"UP"}'),
    settings: { ...http, contains: '"UP"' },
    why: undefined,
  },
  {
    name: "another body",
    says: answer("200 OK", '{"status":"DOWN"}'),
    settings: { ...http, contains: '"UP"' },
    why: 'the body does not contain "\\"UP\\""',
  },
  {
    name: "the wanted body in chunks",
    says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nU\n\r\n3;x=y\r\nPUP\r\n0\r\n\r\n",
    settings: { ...http, contains: "U\nPUP" },
    why: undefined,
  },
  {
    name: "chunks that are none",
    says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    settings: { ...http, contains: "UP" },
    why: "the answer has a bad chunk",
  },
  { name: "another protocol", says: "SSH-2.0-OpenSSH_9.2\r\n\r\n", settings: http, why: "the answer is not HTTP/1.1" },
  { name: "no end", says: "x".repeat(70_000), settings: http, why: "the head of the answer is longer than 64 KB" },
] as const;

test.each(answers)("an answer with $name is judged by it", async ({ says, settings, why }) => {
  await using backend = ScriptedBackend.open(answering(says));
  const result = await run(backend.port, settings);
  expect(result.isGood ? undefined : result.why).toBe(why as string);
});

test("a check of an endpoint that wants the PROXY protocol says that it speaks for itself", async () => {
  await using backend = ScriptedBackend.open(async (connection) => {
    await connection.until(() => connection.text.endsWith("\r\n\r\n"));
    connection.write(answer("200 OK"));
  });
  const one = { settings: http, host: "127.0.0.1", port: backend.port, timeoutMs: 2000 } as const;
  expect(await probe({ ...one, proxyProtocol: "v1" }, never)).toMatchObject({ isGood: true });
  expect(backend.text).toStartWith("PROXY UNKNOWN\r\nGET /healthz ");
  const other = { ...one, port: await closedPort(), settings: { ...http, port: backend.port } } as const;
  expect(await probe({ ...other, proxyProtocol: "v1" }, never)).toMatchObject({ isGood: true });
  expect(backend.connections[1]?.text).toStartWith("GET ");
});

test("the PROXY protocol comes before TLS", async () => {
  await using backend = ScriptedBackend.open(() => {});
  const settings = { ...http, type: "https" } as const;
  const one = { settings, host: "127.0.0.1", port: backend.port, timeoutMs: 200, proxyProtocol: "v2" } as const;
  expect(await probe(one, never)).toMatchObject({ isGood: false });
  const { text } = await backend.connection();
  expect(text.slice(0, 16)).toBe("\r\n\r\n\0\r\nQUIT\n \0\0\0");
  // A TLS record of the kind handshake.
  expect(text.slice(16, 18)).toBe("\x16\x03");
});

test("a Unix socket is checked like an address", async () => {
  using folder = OwnedFolder.make(tmpdir(), "causeway-probe-");
  const path = join(folder.path, "app.sock");
  const seen: (string | null)[] = [];
  using _server = Bun.serve({
    unix: path,
    fetch: ({ headers }) => {
      seen.push(headers.get("host"));
      return new Response("fine");
    },
  });
  const one = { settings: http, host: `unix:${path}`, port: 0, timeoutMs: 2000 } as const;
  expect(await probe(one, never)).toMatchObject({ isGood: true });
  expect(seen).toEqual(["localhost"]);
  expect(await probe({ ...one, host: `${one.host}x` }, never)).toMatchObject({ isGood: false });
});

test("an endpoint that takes the connection and says nothing is late, and the connection is closed", async () => {
  await using backend = ScriptedBackend.open(() => {});
  const result = await run(backend.port, http, 50);
  expect(result).toMatchObject({ isGood: false, why: "no good answer within 50 ms" });
  await until(() => backend.connections[0]?.hasEnded === true);
});

test("an endpoint that closes without an answer is not healthy", async () => {
  await using backend = ScriptedBackend.open((connection) => connection.end());
  expect(await run(backend.port, http)).toMatchObject({ isGood: false, why: "the connection ended without an answer" });
});

test("a websocket check opens a session, pings it, and closes it cleanly", async () => {
  await using backend = await WsApp.open();
  expect(await run(backend.port, websocket)).toMatchObject({ isGood: true });
  const peer = backend.peers[0];
  expect(await peer?.untilEnd()).toEqual({ code: 1000, reason: "" });
});

test("a websocket check wants the subprotocol that it offers", async () => {
  await using backend = await WsApp.open(() => {}, { handleProtocols: (offered) => offered.has("v2.app") && "v2.app" });
  expect(await run(backend.port, { ...websocket, protocol: "v2.app" })).toMatchObject({ isGood: true });
  expect(await run(backend.port, { ...websocket, protocol: "v1.app" })).toMatchObject({
    isGood: false,
    why: "the subprotocol is missing",
  });
});

test("a websocket check waits for the echo of its message, past others", async () => {
  await using backend = await WsApp.open((peer) => {
    peer.send("welcome");
    peer.onMessage = (message) => peer.send(message.toString());
  });
  const exchange = { kind: "message", send: "are you there?" } as const;
  expect(await run(backend.port, { ...websocket, exchange })).toMatchObject({ isGood: true });
  const wrong = { ...exchange, expect: "yes" };
  expect(await run(backend.port, { ...websocket, exchange: wrong }, 50)).toMatchObject({
    isGood: false,
    why: "no good answer within 50 ms",
  });
});

const handshakes = [
  { says: answer("404 Not Found"), why: "the handshake was answered with 404" },
  {
    says: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
    why: "the 101 does not belong to the handshake",
  },
];

test.each(handshakes)("a websocket check is not content: $why", async ({ says, why }) => {
  await using backend = ScriptedBackend.open(answering(says));
  expect(await run(backend.port, websocket)).toMatchObject({ isGood: false, why });
});

test("a server that closes at once, or never answers the Close, is not healthy", async () => {
  await using hasty = ScriptedBackend.open(async (connection) => {
    connection.switch(await connection.request(), { bytes: Uint8Array.of(0x88, 2, 0x03, 0xf5) });
  });
  expect(await run(hasty.port, websocket)).toMatchObject({ isGood: false, why: "the server closed with 1013" });
  await using rude = ScriptedBackend.open(async (connection) => {
    connection.switch(await connection.request());
    await connection.until(() => connection.rest.length >= 14);
    const masked = connection.rest.subarray(2, 14);
    const payload = masked.subarray(4).map((byte, at) => byte ^ (masked[at % 4] ?? 0));
    connection.write(Uint8Array.of(0x8a, 8, ...payload));
  });
  expect(await run(rude.port, websocket, 100)).toMatchObject({ isGood: false, why: "no good answer within 100 ms" });
});

describe("a check of an endpoint that traffic speaks TLS to", () => {
  const ca = issueCertificate({ name: "ca", isAuthority: true });
  const other = issueCertificate({ name: "other", isAuthority: true });
  const pair = issueCertificate({ name: "app", hosts: ["app.internal", "127.0.0.1"], issuer: ca });
  const shown = issueCertificate({ name: "gateway", issuer: ca });
  const good = { verify: "full", ca: ca.cert, name: "app.internal" } as const;
  const wrong = { ...good, name: "x.internal" } as const;
  const cases = [
    { is: "content with the right authority and name", tls: good, why: undefined },
    { is: "content with the address that it connects to", tls: { verify: "full", ca: ca.cert }, why: undefined },
    { is: "not content with another name", tls: wrong, why: "altnames" },
    { is: "content with another name if that is wanted", tls: { ...wrong, verify: "ca" }, why: undefined },
    { is: "not content with another authority", tls: { ...good, ca: other.cert }, why: "not accepted" },
    { is: "never content with another authority", tls: { ...good, ca: other.cert, verify: "ca" }, why: "not accepted" },
    { is: "content with anything if that is wanted", tls: { ...wrong, ca: other.cert, verify: "off" }, why: undefined },
  ] as const;

  test.each(cases)("is $is", async ({ tls, why }) => {
    using server = Bun.serve({ port: 0, tls: pair, fetch: () => new Response("fine") });
    const settings = { ...http, type: "https" } as const;
    const one = { settings, host: "127.0.0.1", port: server.port ?? 0, timeoutMs: 2000, tls };
    const result = await probe(one, never);
    expect(result.isGood ? "" : result.why).toContain(why ?? "");
    expect(result.isGood).toBe(why === undefined);
  });

  test("shows its certificate to one that asks", async () => {
    const tls = { ...pair, ca: ca.cert, requestCert: true, rejectUnauthorized: true };
    using server = Bun.serve({ port: 0, tls, fetch: () => new Response("fine") });
    const settings = { ...http, type: "https" } as const;
    const one = { settings, host: "127.0.0.1", port: server.port ?? 0, timeoutMs: 2000 };
    expect(await probe({ ...one, tls: good }, never)).toMatchObject({ isGood: false });
    expect(await probe({ ...one, tls: { ...good, ...shown } }, never)).toMatchObject({ isGood: true });
  });
});

test("https and secure websocket checks of a port of its own speak TLS, and take any certificate", async () => {
  using server = Bun.serve({
    port: 0,
    tls: issueCertificate({ name: "app", hosts: ["app.example"] }),
    fetch: (request, bun) => (bun.upgrade(request) ? undefined : new Response("fine")),
    websocket: { message() {} },
  });
  const port = server.port ?? 0;
  const https = { ...http, type: "https", contains: "fine" } as const;
  expect(await run(port, https)).toMatchObject({ isGood: true });
  expect(await run(port, { ...https, host: "app.example" })).toMatchObject({ isGood: true });
  expect(await run(port, { ...websocket, isSecure: true })).toMatchObject({ isGood: true });
  expect(await run(port, http)).toMatchObject({ isGood: false });
});
