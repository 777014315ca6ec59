import { describe, expect, test } from "bun:test";
import { issueCertificate } from "../../src/kit/issue-certificate.ts";
import { GatewayFixture, snapshotOf } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { signedPair, testAuthority, testSite } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { until } from "../support/until.ts";

const past = { from: Date.UTC(2020, 0, 1), until: Date.UTC(2021, 0, 1) };
const hosts = ["127.0.0.1", "app.internal"];
const pairs = {
  good: signedPair({ name: "good", hosts }),
  "of another host": signedPair({ name: "other", hosts: ["other.internal"] }),
  expired: signedPair({ name: "expired", hosts, ...past }),
  "self-signed": issueCertificate({ name: "self", hosts }),
  "of an unknown authority": issueCertificate({
    name: "stranger",
    hosts,
    issuer: issueCertificate({ name: "strangers", isAuthority: true }),
  }),
};

const bad = Object.keys(pairs).filter((name) => name !== "good") as readonly (keyof typeof pairs)[];
const asked = [
  { kind: "GET", bytes: request() },
  { kind: "Upgrade", bytes: handshake() },
];

/** Asks through a gateway whose upstream shows this certificate, and returns the status and what the log says. */
async function ask(of: {
  readonly certificate: keyof typeof pairs;
  readonly bytes: string;
  readonly tls?: object;
}): Promise<{ readonly status: number; readonly error: unknown; readonly cause: string }> {
  await using backend = ScriptedBackend.open(friendly, pairs[of.certificate]);
  const upstream = of.tls === undefined ? {} : { tls: of.tls };
  await using fixture = GatewayFixture.open({ to: [backend], upstream });
  const client = await fixture.connect();
  client.write(of.bytes);
  const { status } = await client.response();
  await until(() => fixture.records.length > 0);
  const { error, cause } = { error: undefined, cause: "", ...fixture.records[0] };
  if (status === 502) expect(backend.text).toBe("");
  return { status, error, cause };
}

describe.each(asked)("AC-25.1, S23: for a $kind", ({ kind, bytes }) => {
  const fine = kind === "GET" ? 200 : 101;

  test("a certificate that fits is accepted, with a scheme or with tls", async () => {
    expect(await ask({ certificate: "good", bytes })).toMatchObject({ status: fine });
    expect(
      await ask({ certificate: "good", bytes, tls: { ca: "authority.pem", serverName: "app.internal" } }),
    ).toMatchObject({
      status: fine,
    });
  });

  test.each(bad)("a certificate that is %s gets 502, and nothing is sent", async (certificate) => {
    const { status, error, cause } = await ask({ certificate, bytes });
    expect([status, error]).toEqual([502, "upstream_certificate"]);
    expect(cause).toMatch(/the certificate of 127\.0\.0\.1:\d+ is not accepted: ./);
  });

  test("without ca a private authority is not believed", async () => {
    expect(await ask({ certificate: "good", bytes, tls: {} })).toMatchObject({ error: "upstream_certificate" });
  });

  test("verify: ca accepts another name, and nothing else", async () => {
    const tls = { ca: "authority.pem", verify: "ca" };
    expect(await ask({ certificate: "of another host", bytes, tls })).toMatchObject({ status: fine });
    for (const certificate of bad.filter((name) => name !== "of another host"))
      expect(await ask({ certificate, bytes, tls })).toMatchObject({ status: 502, error: "upstream_certificate" });
  });

  test("verify: off accepts everything", async () => {
    for (const certificate of bad)
      expect(await ask({ certificate, bytes, tls: { verify: "off" } })).toMatchObject({ status: fine });
  });

  test("serverName is what is asked for, and what the certificate has to have", async () => {
    const tls = { ca: "authority.pem", serverName: "other.internal" };
    expect(await ask({ certificate: "of another host", bytes, tls })).toMatchObject({ status: fine });
    expect(await ask({ certificate: "good", bytes, tls })).toMatchObject({ error: "upstream_certificate" });
  });

  test("an upstream that speaks no TLS gets no request, and the client a 502", async () => {
    await using backend = ScriptedBackend.open((connection) => {
      connection.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    const endpoints = [`https://127.0.0.1:${backend.port}`];
    await using fixture = GatewayFixture.open({ upstream: { endpoints } });
    const client = await fixture.connect();
    client.write(bytes);
    expect((await client.response()).status).toBe(502);
    expect(await fixture.record()).toMatchObject({ error: "upstream_tls" });
    expect(backend.text).not.toContain("GET");
  });

  test("an upstream that never ends its TLS handshake is 504 after timeouts.connect", async () => {
    await using backend = ScriptedBackend.open(() => {}, undefined);
    const endpoints = [`wss://127.0.0.1:${backend.port}`];
    await using fixture = GatewayFixture.open({ upstream: { endpoints }, route: { timeouts: { connect: "100ms" } } });
    const client = await fixture.connect();
    client.write(bytes);
    expect((await client.response()).status).toBe(504);
    expect(await fixture.record()).toMatchObject({ error: "upstream_connect_timeout" });
    await until(() => backend.connections[0]?.hasEnded === true);
  });
});

test("an endpoint whose certificate is not accepted makes way for the next one", async () => {
  await using untrusted = ScriptedBackend.open(friendly, pairs["self-signed"]);
  await using trusted = ScriptedBackend.open(friendly, pairs.good);
  const upstream = { balance: "round-robin" };
  await using fixture = GatewayFixture.open({ to: [untrusted, trusted], upstream });
  for (let count = 1; count <= 2; count++) {
    const client = await fixture.connect();
    client.write(request());
    expect((await client.response()).status).toBe(200);
  }
  expect(untrusted.requests).toEqual([]);
});

test("AC-25.2: a certificate is shown to an upstream that asks for one", async () => {
  using files = TlsFiles.make();
  const own = signedPair({ name: "the gateway" });
  const ca = testAuthority().cert;
  await using backend = ScriptedBackend.open(friendly, {
    ...testSite(),
    ca,
    requestCert: true,
    rejectUnauthorized: true,
  });
  const { cert, key } = files.add("own", own);
  const tls = { ca: "authority.pem", cert, key };
  await using without = GatewayFixture.open({ to: [backend] });
  await using fixture = GatewayFixture.open({ to: [backend], upstream: { tls } });
  for (const bytes of [request(), handshake()]) {
    const known = await fixture.connect();
    known.write(bytes);
    expect((await known.response()).status).toBeLessThan(300);
    const unknown = await without.connect();
    unknown.write(bytes);
    expect((await unknown.response()).status).toBe(502);
  }
});

test("AC-25.2: with other authorities, connections that were kept are not used again", async () => {
  await using backend = ScriptedBackend.open(async (connection) => {
    for (;;) {
      await connection.request();
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
  }, pairs.good);
  const settings = { to: [backend] };
  await using fixture = GatewayFixture.open(settings);
  const status = async (): Promise<number> => {
    const client = await fixture.connect();
    client.write(request());
    return (await client.response()).status;
  };
  expect([await status(), await status()]).toEqual([200, 200]);
  expect(backend.connections).toHaveLength(1);
  const next = { ...settings, upstream: { tls: {} } };
  expect(fixture.gateway.apply({ ...snapshotOf(next), revision: 2 })).toEqual([]);
  expect(await status()).toBe(502);
  await until(() => backend.connections[0]?.hasEnded === true);
  expect(fixture.gateway.apply({ ...snapshotOf(settings), revision: 3 })).toEqual([]);
  expect(await status()).toBe(200);
});
