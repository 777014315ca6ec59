import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { connect } from "node:net";
import { formatIssue } from "../../src/core/issue.ts";
import { GatewayFixture, snapshotOf } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { header } from "../support/http-message.ts";
import { RawClient } from "../support/raw-client.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { signedPair } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { askTls, commonName } from "../support/tls-peer.ts";
import { until } from "../support/until.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

goWithoutBridge();

describe("the certificate is chosen by the name that the client asks for", () => {
  const pairs = ["a.test", "*.a.test", "b.a.test", "c.test"].map((host) => signedPair({ name: host, hosts: [host] }));
  const cases = [
    { name: "a.test", gets: "a.test" },
    { name: "A.Test", gets: "a.test" },
    { name: "x.a.test", gets: "*.a.test" },
    { name: "b.a.test", gets: "b.a.test" },
    { name: "y.x.a.test", gets: "a.test" },
    { name: "c.test", gets: "c.test" },
    { name: "unknown.test", gets: "a.test" },
    { name: undefined, gets: "a.test" },
  ];
  test.each(cases)("a client that asks for $name gets the certificate of $gets", async ({ name, gets }) => {
    using files = TlsFiles.make();
    const certificates = pairs.map((pair, at) => files.add(`${at}`, pair));
    await using fixture = GatewayFixture.open({ listener: { tls: { certificates } } });
    expect(commonName(await askTls(fixture.port, { servername: name }))).toBe(gets);
  });

  test("with unknownNames: refuse an unknown name gets no connection, and no name the first certificate", async () => {
    using files = TlsFiles.make();
    const certificates = pairs.map((pair, at) => files.add(`${at}`, pair));
    await using fixture = GatewayFixture.open({ listener: { tls: { certificates, unknownNames: "refuse" } } });
    expect((await askTls(fixture.port, { servername: "unknown.test" })).failure).toBeDefined();
    expect(commonName(await askTls(fixture.port, { servername: "c.test" }))).toBe("c.test");
    expect(commonName(await askTls(fixture.port, {}))).toBe("a.test");
  });
});

test("RSA and ECDSA stand side by side for one name, and a client gets what it can check", async () => {
  using files = TlsFiles.make();
  const wish = { name: "both", hosts: ["both.test"] };
  const certificates = [files.add("ec", signedPair(wish)), files.add("rsa", signedPair({ ...wish, keyType: "rsa" }))];
  await using fixture = GatewayFixture.open({ listener: { tls: { certificates } } });
  const keyOf = async (sigalgs: string, servername?: string): Promise<unknown> => {
    const { certificate } = await askTls(fixture.port, { servername, sigalgs });
    return certificate && new X509Certificate(certificate.raw).publicKey.asymmetricKeyType;
  };
  expect(await keyOf("ecdsa_secp256r1_sha256", "both.test")).toBe("ec");
  expect(await keyOf("rsa_pss_rsae_sha256", "both.test")).toBe("rsa");
  expect(await keyOf("rsa_pss_rsae_sha256")).toBe("rsa");
});

test("the versions of TLS are those that are configured", async () => {
  using files = TlsFiles.make();
  const certificates = [files.add("site", signedPair({ name: "x" }))];
  await using usual = GatewayFixture.open({ listener: { tls: { certificates } } });
  await using newest = GatewayFixture.open({ listener: { tls: { certificates, minVersion: "TLSv1.3" } } });
  await using older = GatewayFixture.open({ listener: { tls: { certificates, maxVersion: "TLSv1.2" } } });
  const versions = await Promise.all(
    [usual, newest, older].flatMap(({ port }) =>
      (["TLSv1.1", "TLSv1.2", "TLSv1.3"] as const).map(async (version) => {
        const answer = await askTls(port, { minVersion: version, maxVersion: version });
        return answer.version ?? "-";
      }),
    ),
  );
  expect(versions).toEqual(["-", "TLSv1.2", "TLSv1.3", "-", "-", "TLSv1.3", "-", "TLSv1.2", "-"]);
});

test("ALPN chooses http/1.1, and refuses a client that offers nothing of the kind", async () => {
  await using fixture = GatewayFixture.open({ isSecure: true });
  expect(await askTls(fixture.port, { ALPNProtocols: ["foo", "http/1.1"] })).toMatchObject({ protocol: "http/1.1" });
  expect((await askTls(fixture.port, { ALPNProtocols: ["foo"] })).failure).toBeDefined();
  expect((await askTls(fixture.port, {})).protocol).toBeUndefined();
});

test.each([
  { kind: "GET", bytes: request({ headers: { "X-Forwarded-Proto": "http" } }) },
  { kind: "Upgrade", bytes: handshake({ headers: { "X-Forwarded-Proto": "http" } }) },
])("the upstream learns that a $kind came over TLS", async ({ bytes }) => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend], isSecure: true });
  const client = await fixture.connect();
  client.write(bytes);
  await client.response();
  const [arrived] = backend.requests;
  if (arrived === undefined) throw new Error("nothing arrived");
  expect(header(arrived, "x-forwarded-proto")).toBe("https");
  expect(header(arrived, "x-forwarded-port")).toBe("443");
  expect(header(arrived, "forwarded")).toContain("proto=https");
});

test("a request for a host with other certificates than the connection was opened for gets 421", async () => {
  using files = TlsFiles.make();
  const pairs = [["a.test", "b.test"], ["c.test"]].map((hosts) => signedPair({ name: hosts.join(), hosts }));
  const certificates = pairs.map((pair, at) => files.add(`${at}`, pair));
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend], listener: { tls: { certificates } } });
  const status = async (serverName: string | undefined, host: string): Promise<readonly number[]> => {
    const statuses: number[] = [];
    for (const make of [request, handshake]) {
      const tls = { rejectUnauthorized: false, ...(serverName === undefined ? {} : { serverName }) };
      const client = await RawClient.open(fixture.port, { tls });
      client.write(make({ headers: { Host: host } }));
      statuses.push((await client.response()).status);
    }
    return statuses;
  };
  expect(await status("a.test", "a.test")).toEqual([200, 101]);
  expect(await status("a.test", "B.test:8443")).toEqual([200, 101]);
  expect(await status("a.test", "unknown.test")).toEqual([200, 101]);
  expect(await status(undefined, "c.test")).toEqual([200, 101]);
  expect(await status("a.test", "c.test")).toEqual([421, 421]);
  expect(await status("c.test", "a.test")).toEqual([421, 421]);
});

describe("a renewed certificate", () => {
  test("AC-1.5: is what new handshakes get, with a name and without one, and no session closes", async () => {
    using files = TlsFiles.make();
    const hosts = ["site.test", "127.0.0.1"];
    const [old, renewed] = [signedPair({ name: "old", hosts }), signedPair({ name: "new", hosts })];
    await using app = await WsApp.open(echo);
    const settings = { to: [app], listener: { tls: { certificates: [files.add("site", old)] } } };
    await using fixture = GatewayFixture.open(settings);
    const peer = await WsPeer.open(fixture.port, { isSecure: true });
    expect(commonName(await askTls(fixture.port, { servername: "site.test" }))).toBe("old");
    files.add("site", renewed);
    expect(fixture.gateway.apply({ ...snapshotOf(settings), revision: 2 })).toEqual([]);
    for (const servername of ["site.test", undefined])
      expect(commonName(await askTls(fixture.port, { servername }))).toBe("new");
    peer.send("still here");
    await until(() => peer.messages.length === 1);
    expect(fixture.gateway.status()).toMatchObject({ revision: 2, sessions: 1 });
  });

  test("comes with new terms of the handshake as well, and no session closes", async () => {
    using files = TlsFiles.make();
    await using app = await WsApp.open(echo);
    const certificates = [files.add("site", signedPair({ name: "site", hosts: ["127.0.0.1"] }))];
    const settings = { to: [app], listener: { tls: { certificates } } };
    await using fixture = GatewayFixture.open(settings);
    const peer = await WsPeer.open(fixture.port, { isSecure: true });
    const { port } = fixture;
    const next = {
      ...settings,
      listener: { address: `127.0.0.1:${port}`, tls: { certificates, minVersion: "TLSv1.3" } },
    };
    expect(fixture.gateway.apply({ ...snapshotOf(next), revision: 2 }).map(formatIssue)).toEqual([]);
    expect(fixture.port).toBe(port);
    await until(async () => (await askTls(port, { maxVersion: "TLSv1.2" })).failure !== undefined);
    peer.send("still here");
    await until(() => peer.messages.length === 1);
  });
});

describe("what is no TLS handshake", () => {
  test("a request in the clear is answered with a 400 that says so", async () => {
    await using fixture = GatewayFixture.open({ isSecure: true });
    const text = await say(fixture.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(text).toStartWith("HTTP/1.1 400 Bad Request\r\n");
    expect(text).toContain("Connection: close\r\n");
    expect(text).toContain('{"error":{"code":"plain_http","message":"this port speaks TLS');
    expect(await fixture.record()).toMatchObject({ error: "plain_http", status: 400, listener: "web" });
  });

  test.each(["garbage\r\n\r\n", "\x16\x03\x01\x02", "\x16\x03\x01\xff\xff".padEnd(99, "\xff"), "\x80\x2e\x01\x00\x02"])(
    "%j costs its own connection only",
    async (bytes) => {
      const timeouts = { tlsHandshake: "200ms" };
      await using fixture = GatewayFixture.open({ isSecure: true, listener: { timeouts } });
      await say(fixture.port, bytes);
      expect((await askTls(fixture.port, {})).version).toBe("TLSv1.3");
      await until(() => fixture.gateway.status().connections === 0);
      expect(fixture.gateway.metrics().find(({ name }) => name === "causeway_pending")?.values[0]?.value).toBe(0);
    },
  );

  test("a handshake that does not end is ended, and one line a second and address says so", async () => {
    await using fixture = GatewayFixture.open({ isSecure: true, listener: { timeouts: { tlsHandshake: "100ms" } } });
    await Promise.all(Array.from({ length: 20 }, () => say(fixture.port, "\x16\x03\x01\x02\x00")));
    const failures = fixture.gateway.metrics().find(({ name }) => name === "causeway_tls_handshakes_total");
    expect(failures?.values).toEqual([{ labels: { result: "late" }, value: 20 }]);
    expect(await fixture.record()).toMatchObject({ error: "tls_failed", cause: "the TLS handshake took too long" });
    expect(fixture.records.length).toBeLessThanOrEqual(2);
  });
});

test("half-open handshakes of one address do not keep others out, and their number is limited", async () => {
  const limits = { pendingPerAddress: 50 };
  await using fixture = GatewayFixture.open({ isSecure: true, listener: { limits } });
  const idle = await Promise.all(Array.from({ length: 100 }, () => hold(fixture.port, "127.0.0.7")));
  await until(() => idle.filter((socket) => socket.readyState === "closed").length === 50);
  expect((await askTls(fixture.port, {})).version).toBe("TLSv1.3");
  for (const socket of idle) socket.destroy();
  await until(() => fixture.gateway.status().connections === 0);
});

/** Says something in the clear, and returns what comes back until the end. */
function say(port: number, bytes: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  socket.on("close", () => resolve(text));
  socket.write(bytes, "latin1");
  return promise;
}

function hold(port: number, localAddress: string) {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  socket.on("error", () => {});
  const { promise, resolve } = Promise.withResolvers<typeof socket>();
  socket.on("connect", () => resolve(socket));
  return promise;
}
