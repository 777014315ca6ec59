import { expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { AccountKey } from "../../src/controlplane/acme/account-key.ts";
import { makeChallenge } from "../../src/controlplane/acme/make-challenge.ts";
import type { AccessRecord } from "../../src/core/access-record.ts";
import type { Snapshot } from "../../src/core/snapshot.ts";
import { Gateway } from "../../src/dataplane/gateway.ts";
import { sleep } from "../../src/kit/sleep.ts";
import { validate } from "../support/acme-validation.ts";
import { GatewayFixture, snapshotOf } from "../support/gateway-fixture.ts";
import { signedPair } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { askTls, commonName, type TlsAnswer } from "../support/tls-peer.ts";
import { until } from "../support/until.ts";

const key = AccountKey.generate();
const token = "a-token_of-the-authority";
const expected = key.authorize(token);
const path = `/.well-known/acme-challenge/${token}`;
const overHttp = (name: string) => makeChallenge("http-01", name, expected);
const overTls = (name: string) => makeChallenge("tls-alpn-01", name, expected);
const respond = { filters: [{ respond: { status: 418 } }] };

test("http-01 is answered before redirects and routes, on every listener, and only while it is shown", async () => {
  await using fixture = GatewayFixture.open({ isSecure: false, listener: { redirectToHttps: true }, route: respond });
  const { gateway, port } = fixture;
  const wanted = { type: "http-01", name: "a.test", token, expected, port } as const;
  const ask = (method: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { host: "b.test" }, redirect: "manual" });
  expect((await ask("GET")).status).toBe(308);

  gateway.useChallenges([overHttp("a.test")]);
  expect(await validate(wanted)).toBeUndefined();
  expect(await (await ask("GET")).text()).toBe(expected);
  const head = await ask("HEAD");
  expect([head.status, head.headers.get("content-length")]).toEqual([200, String(expected.length)]);
  expect((await ask("POST")).status).toBe(308);
  expect((await fetch(`http://127.0.0.1:${port}${path}x`, { redirect: "manual" })).status).toBe(308);
  await fixture.record();

  gateway.useChallenges([]);
  expect(await validate(wanted)).toContain("308");
});

/** A gateway with a certificate for site.test, and files for another one. */
function open(tls: object = {}, certificate?: object): GatewayFixture {
  const certificates = [certificate ?? { cert: "site.pem", key: "site.key" }];
  const fixture = GatewayFixture.open({ isSecure: true, listener: { tls: { certificates, ...tls } }, route: respond });
  // As the configuration says it where certificates are ordered with tls-alpn-01.
  fixture.gateway.apply(
    askedInHandshakes(
      fixture,
      snapshotOf({ isSecure: true, listener: { tls: { certificates, ...tls } }, route: respond }),
    ),
  );
  return fixture;
}

function askedInHandshakes(fixture: GatewayFixture, snapshot: Snapshot): Snapshot {
  const listeners = snapshot.listeners.map((listener) =>
    listener.tls === undefined
      ? listener
      : { ...listener, tls: { ...listener.tls, alpn: [...listener.tls.alpn, "acme-tls/1"] } },
  );
  return { ...snapshot, revision: fixture.gateway.revision + 1, listeners };
}

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "over %s the authority sees its certificate, and everybody else theirs",
  async (maxVersion) => {
    await using fixture = open();
    const { gateway, port } = fixture;
    gateway.useChallenges([overTls("app.example")]);
    const seenBy = async (ALPNProtocols: string[] | undefined, servername = "app.example"): Promise<unknown> => {
      const answer = await askTls(port, {
        servername,
        maxVersion,
        ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }),
      });
      return [answer.certificate?.issuer.CN, answer.protocol, answer.failure === undefined];
    };
    expect(await seenBy(["acme-tls/1"])).toEqual(["app.example", "acme-tls/1", true]);
    expect(await seenBy(["h2", "http/1.1"])).toEqual(["test authority", "h2", true]);
    expect(await seenBy(["acme-tls/1", "http/1.1"])).toEqual(["test authority", "http/1.1", true]);
    expect(await seenBy(undefined)).toEqual(["test authority", undefined, true]);
    // Nobody is asked about this name.
    expect(await seenBy(["acme-tls/1"], "other.test")).toEqual([undefined, undefined, false]);
    expect(await validate({ type: "tls-alpn-01", name: "app.example", token, expected, port })).toBeUndefined();
    gateway.useChallenges([]);
    expect(await validate({ type: "tls-alpn-01", name: "app.example", token, expected, port })).toBeDefined();
    expect(resultsOf(gateway).challenge).toBeGreaterThan(1);
  },
);

/** How many TLS handshakes ended in which way. */
function resultsOf(gateway: Gateway): Readonly<Record<string, number>> {
  const family = gateway.metrics().find(({ name }) => name === "causeway_tls_handshakes_total");
  return Object.fromEntries((family?.values ?? []).map(({ labels, value }) => [labels.result, value]));
}

test("an authority needs no client certificate where everybody else does", async () => {
  await using fixture = open({ clientCertificates: { mode: "required", ca: "authority.pem" } });
  fixture.gateway.useChallenges([overTls("app.example")]);
  const { port } = fixture;
  expect(await validate({ type: "tls-alpn-01", name: "app.example", token, expected, port })).toBeUndefined();
  const record = (): AccessRecord | undefined => fixture.records.find((one) => one.kind === "http");
  await askTls(port, { servername: "app.example", maxVersion: "TLSv1.2" });
  await until(() => record() !== undefined);
  expect(record()).toMatchObject({ error: "tls_failed" });
});

/** A client whose hello comes in pieces; `pieces` are lengths. */
async function askInPieces(port: number, options: ConnectionOptions, pieces: readonly number[]): Promise<TlsAnswer> {
  const hello = await helloOf(options);
  const socket = connectTcp(port, "127.0.0.1");
  socket.setNoDelay();
  const heard = Promise.withResolvers<TlsAnswer>();
  socket.once("data", (bytes: Buffer) => heard.resolve({ failure: `record ${bytes[0]}` }));
  socket.on("close", () => heard.resolve({ failure: "closed" }));
  let from = 0;
  for (const length of [...pieces, hello.length]) {
    const piece = hello.subarray(from, from + length);
    from += length;
    socket.write(piece);
    // Longer than it takes until the beginning has been looked at.
    await sleep(40);
  }
  const answer = await heard.promise;
  socket.destroy();
  return answer;
}

/** What such a client begins with. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  using listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        resolve(Buffer.from(bytes));
        socket.terminate();
      },
    },
  });
  connectTls({ port: listener.port, host: "127.0.0.1", rejectUnauthorized: false, ...options }).on("error", () => {});
  return await promise;
}

test("while a challenge is shown, hellos in pieces, garbage and silence are what they are otherwise", async () => {
  await using fixture = open();
  const { gateway, port } = fixture;
  gateway.useChallenges([overTls("app.example")]);
  const silent = connectTcp(port, "127.0.0.1").on("error", () => {});
  const handshake = { failure: "record 22" };
  expect(await askInPieces(port, { servername: "app.example" }, [3, 90])).toEqual(handshake);
  expect(await askInPieces(port, { servername: "app.example", ALPNProtocols: ["acme-tls/1"] }, [1, 200])).toEqual(
    handshake,
  );
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toContain("this port speaks TLS");
  expect(commonName(await askTls(port, { servername: "app.example" }))).toBe("app.example");
  silent.destroy();
  await until(() => gateway.status().connections === 0);
});

test("a listener without any certificate refuses everybody but an authority, says why, and serves as soon as there is one", async () => {
  using files = TlsFiles.make();
  await using gateway = new Gateway({ onRecord: (record) => records.push(record) });
  const records: AccessRecord[] = [];
  const first = snapshotOf({ isSecure: true, route: respond });
  const without = (snapshot: Snapshot): Snapshot => ({
    ...snapshot,
    listeners: snapshot.listeners.map((one) =>
      one.tls === undefined ? one : { ...one, tls: { ...one.tls, certificates: [], alpn: ["http/1.1", "acme-tls/1"] } },
    ),
  });
  expect(gateway.apply(without(first))).toEqual([]);
  const port = gateway.listeners[0]?.port ?? 0;
  expect((await askTls(port, { servername: "app.example" })).failure).toBeDefined();
  await askTls(port, { maxVersion: "TLSv1.2" });
  const refused = () => resultsOf(gateway).no_certificate;
  await until(() => refused() === 2);
  expect(records).toMatchObject([
    { error: "tls_failed", cause: "there is no certificate for this listener yet", status: 0 },
  ]);
  gateway.useChallenges([overTls("app.example")]);
  expect(await validate({ type: "tls-alpn-01", name: "app.example", token, expected, port })).toBeUndefined();

  const place = files.add("new", signedPair({ name: "new", hosts: ["app.example"] }));
  const second = snapshotOf({ isSecure: true, listener: { tls: { certificates: [place] } }, route: respond });
  const listeners = second.listeners.map((one) =>
    one.tls === undefined ? one : { ...one, port, tls: { ...one.tls, alpn: ["http/1.1", "acme-tls/1"] } },
  );
  expect(gateway.apply({ ...second, revision: 2, listeners })).toEqual([]);
  expect(commonName(await askTls(port, { servername: "app.example" }))).toBe("new");
  expect(commonName(await askTls(port, {}))).toBe("new");
});
