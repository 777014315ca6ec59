import { describe, expect, test } from "bun:test";
import { once } from "node:events";
import http2 from "node:http2";
import type { TLSSocket } from "node:tls";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { request } from "../support/handshake.ts";
import { header as fieldOf, readResponse } from "../support/http-message.ts";
import { connectPlain, connectProxied, type Delivery } from "../support/proxied-tls.ts";
import { requires } from "../support/requires.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { signedPair, testAuthority } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

const line = Buffer.from("PROXY TCP4 198.51.100.7 10.0.0.1 40000 443\r\n");
const binary = Buffer.from("0d0a0d0a000d0a515549540a2111000cc63364070a0000019c4001bb", "hex");
const binaryWithMore = Buffer.concat([
  Buffer.from("0d0a0d0a000d0a515549540a21110213c63364070a0000019c4001bb", "hex"),
  Buffer.from("040204", "hex"),
  Buffer.alloc(0x204, 7),
]);
const headers = [
  ["version 1", line],
  ["version 2", binary],
  ["version 2 with more behind the addresses", binaryWithMore],
] as const;
const deliveries: readonly Delivery[] = ["ahead", "byte by byte", "together"];
const here = { isSecure: true, isDirect: true, listener: { proxyProtocol: ["127.0.0.1"] } } as const;

async function answerTo(socket: TLSSocket, bytes: string): Promise<number> {
  let received: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
  });
  socket.write(bytes);
  const found = () => readResponse(received, { method: "GET", hasEnded: false });
  await until(() => found() !== undefined);
  return found()?.message.status ?? 0;
}

describe.each(headers)("a header of %s, before TLS", (_, header) => {
  test.each(deliveries)("says whose the connection is when it comes %s", async (delivery) => {
    await using backend = ScriptedBackend.open(friendly);
    await using fixture = GatewayFixture.open({ ...here, to: [backend] });
    const client = await connectProxied(fixture.port, { header, delivery });
    expect(await answerTo(client, request())).toBe(200);
    const [arrived] = backend.requests;
    expect(arrived && fieldOf(arrived, "x-forwarded-for")).toBe("198.51.100.7");
    expect(arrived && fieldOf(arrived, "forwarded")).toContain("for=198.51.100.7");
    expect(arrived && fieldOf(arrived, "x-forwarded-proto")).toBe("https");
    expect(await fixture.record()).toMatchObject({ client: "198.51.100.7:40000" });
    client.destroy();
    await until(() => fixture.gateway.status().connections === 0);
  });
});

test("a session behind it has its messages, back-pressure and Close", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({ ...here, to: [app] });
  const secure = await connectProxied(fixture.port, { header: line });
  const peer = await WsPeer.open(fixture.port, { isSecure: true, createConnection: () => secure });
  const message = Buffer.alloc(8_000_000, "a long message ");
  peer.send(message);
  await until(() => peer.messages.length > 0);
  expect(peer.messages[0]?.equals(message)).toBe(true);
  app.peers[0]?.socket.close(4321, "that was it");
  expect(await peer.untilEnd()).toEqual({ code: 4321, reason: "that was it" });
  await until(() => fixture.records.length > 0);
  expect(fixture.records.at(-1)).toMatchObject({ client: "198.51.100.7:40000" });
});

test.skipIf(!requires("curl", "curl"))("curl is understood, over HTTP/1.1 and HTTP/2", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ ...here, to: [backend] });
  for (const version of ["--http1.1", "--http2"]) {
    const words = ["-sk", "--haproxy-protocol", version, "-o", "/dev/null", "-w", "%{http_version} %{http_code}"];
    const child = Bun.spawn(["curl", ...words, `https://127.0.0.1:${fixture.port}/`], { stdout: "pipe" });
    expect(await new Response(child.stdout).text()).toBe(version === "--http2" ? "2 200" : "1.1 200");
  }
  expect(refusals(fixture)).toBeEmpty();
});

test("HTTP/2, names and client certificates are as without it", async () => {
  using files = TlsFiles.make();
  const certificates = [files.add("one", signedPair({ name: "one", hosts: ["one.test"] }))];
  certificates.push(files.add("two", signedPair({ name: "two", hosts: ["two.test"] })));
  const ca = files.write("ca.pem", testAuthority().cert);
  const tls = { certificates, clientCertificates: { mode: "required", ca } };
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ ...here, listener: { ...here.listener, tls }, to: [backend] });
  const client = signedPair({ name: "a client" });
  const how = { header: binary, servername: "two.test", ALPNProtocols: ["h2"], cert: client.cert, key: client.key };
  const socket = await connectProxied(fixture.port, how);
  expect(socket.getPeerCertificate().subject.CN).toBe("two");
  expect(socket.alpnProtocol).toBe("h2");
  const session = http2.connect("https://two.test", { createConnection: () => socket });
  const stream = session.request({ ":path": "/" });
  const [answer] = await once(stream, "response");
  expect(answer[":status"]).toBe(200);
  const [arrived] = backend.requests;
  expect(arrived && fieldOf(arrived, "x-forwarded-for")).toBe("198.51.100.7");
  expect(arrived && fieldOf(arrived, "x-forwarded-client-cert")).toContain("a client");
  session.destroy();
});

const clientHello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
test.each([clientHello, request(), "PROXY TCP4 1.2.3.4\r\n", "PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n", "PROXY", ""])(
  "a proxy that begins with %j is hung up on",
  async (bytes) => {
    const listener = { ...here.listener, timeouts: { head: "150ms" } };
    await using fixture = GatewayFixture.open({ ...here, listener });
    const client = await connectPlain(fixture.port);
    const ended = new Promise((resolve) => client.on("close", resolve));
    client.resume().write(Buffer.from(bytes, "latin1"));
    await ended;
    expect(refusals(fixture)).toEqual([{ labels: { limit: "proxy_protocol" }, value: 1 }]);
    await until(() => fixture.gateway.status().connections === 0);
  },
);

test.each(["end", "reset"])(
  "a proxy that goes away in the middle of its header (%s) leaves nothing behind",
  async (how) => {
    await using fixture = GatewayFixture.open(here);
    const client = await connectPlain(fixture.port);
    client.write(line.subarray(0, 20));
    await until(() => fixture.gateway.status().connections === 1);
    if (how === "end") client.end();
    else client.resetAndDestroy();
    await until(() => fixture.gateway.status().connections === 0);
    expect(refusals(fixture)).toEqual([{ labels: { limit: "proxy_protocol" }, value: 1 }]);
  },
);

test("from any other address a header is no TLS, and a handshake needs none", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ ...here, listener: { proxyProtocol: ["192.0.2.0/24"] }, to: [backend] });
  await expect(connectProxied(fixture.port, { header: line })).rejects.toThrow();
  const client = await connectProxied(fixture.port, { header: Buffer.alloc(0) });
  expect(await answerTo(client, request())).toBe(200);
  const [arrived] = backend.requests;
  expect(arrived && fieldOf(arrived, "x-forwarded-for")).toBe("127.0.0.1");
  client.destroy();
});

test("a handshake behind a header may take its own time, and limits count those whom the header names", async () => {
  const listener = {
    ...here.listener,
    limits: { pendingPerAddress: 1 },
    timeouts: { head: "100ms" },
  };
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ ...here, listener, to: [backend] });
  const halfOpen = await connectPlain(fixture.port);
  halfOpen.write(line);
  const other = line.toString().replace("198.51.100.7", "198.51.100.8");
  await until(() => fixture.gateway.status().connections === 1);
  await expect(connectProxied(fixture.port, { header: line })).rejects.toThrow();
  const client = await connectProxied(fixture.port, { header: Buffer.from(other) });
  expect(await answerTo(client, request())).toBe(200);
  expect(refusals(fixture)).toEqual([{ labels: { limit: "pending_per_address" }, value: 1 }]);
  expect(fixture.gateway.status().connections).toBe(2);
  client.destroy();
  halfOpen.destroy();
  await until(() => fixture.gateway.status().connections === 0);
});

function refusals({ gateway }: GatewayFixture): unknown {
  return gateway.metrics().find(({ name }) => name === "causeway_connections_refused_total")?.values;
}
