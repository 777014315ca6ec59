import { describe, expect, test } from "bun:test";
import { createHash, X509Certificate } from "node:crypto";
import { issueCertificate } from "../../src/kit/issue-certificate.ts";
import { GatewayFixture, snapshotOf } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { header } from "../support/http-message.ts";
import { RawClient } from "../support/raw-client.ts";
import { requires } from "../support/requires.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { signedPair, testAuthority } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";

goWithoutBridge();

const ca = testAuthority().cert;
const known = signedPair({ name: 'Ännchen, "one"' });
const stranger = issueCertificate({ name: "stranger" });
const late = signedPair({ name: "late", from: Date.UTC(2020, 0, 1), until: Date.UTC(2021, 0, 1) });
const trust = { certificates: [{ cert: "site.pem", key: "site.key" }] };

/** Asks with a client certificate, and returns what the backend got; undefined if the connection was refused. */
async function ask(of: {
  readonly mode: "none" | "optional" | "required";
  readonly shows?: { readonly cert: string; readonly key: string };
  readonly bytes?: string;
  readonly listener?: object;
  readonly version?: number;
}): Promise<Readonly<Record<string, string | undefined>> | undefined> {
  await using backend = ScriptedBackend.open(friendly);
  const tls = { ...trust, clientCertificates: { mode: of.mode, ca: "authority.pem" } };
  await using fixture = GatewayFixture.open({ to: [backend], listener: { tls, ...of.listener } });
  const version = of.version === undefined ? {} : { maxVersion: of.version };
  try {
    const client = await RawClient.open(fixture.port, { tls: { ca, ...of.shows, ...version } });
    client.write(of.bytes ?? request());
    await client.response();
  } catch {
    expect(backend.text).toBe("");
    return undefined;
  }
  const [arrived] = backend.requests;
  if (arrived === undefined) throw new Error("nothing arrived");
  const names = ["client-cert", "client-cert-chain", "x-forwarded-client-cert"];
  return Object.fromEntries(names.map((name) => [name, header(arrived, name)]));
}

describe.each([
  { kind: "GET", bytes: request() },
  { kind: "Upgrade", bytes: handshake() },
])("AC-25.2: for a $kind", ({ bytes }) => {
  test("the upstream gets to know a verified certificate", async () => {
    const got = await ask({ mode: "required", shows: known, bytes });
    const der = new X509Certificate(known.cert).raw;
    expect(got?.["client-cert"]).toBe(`:${der.toString("base64")}:`);
    const hash = createHash("sha256").update(der).digest("hex");
    expect(got?.["x-forwarded-client-cert"]).toBe(
      `Hash=${hash};Subject="CN=\\\\C3\\\\84nnchen\\\\, \\\\\\"one\\\\\\"";Issuer="CN=test authority";Verify=SUCCESS`,
    );
  });

  test("S9: what a client says of itself is dropped, with a certificate and without one", async () => {
    const headers = {
      "Client-Cert": ":Zm9yZ2Vk:",
      client_cert: "forged",
      "Client.Cert": "forged",
      "Client-Cert-Chain": ":Zm9yZ2Vk:",
      "X-Forwarded-Client-Cert": "forged",
      X_Forwarded_Client_Cert: "forged",
      Connection: "Client-Cert, X-Forwarded-Client-Cert",
    };
    const own = bytes.startsWith("GET / HTTP/1.1\r\nHost: app.example\r\nConnection")
      ? handshake({ headers: { ...headers, Connection: `Upgrade, ${headers.Connection}` } })
      : request({ headers });
    const without = await ask({ mode: "optional", bytes: own });
    expect(Object.values(without ?? {})).toEqual([undefined, undefined, undefined]);
    const plain = await ask({ mode: "none", bytes: own });
    expect(Object.values(plain ?? {})).toEqual([undefined, undefined, undefined]);
    const got = await ask({ mode: "optional", shows: known, bytes: own });
    expect(got?.["client-cert"]).not.toContain("Zm9yZ2Vk");
    expect(JSON.stringify(got)).not.toContain("forged");
    expect(got?.["client-cert"]).toBeDefined();
  });
});

test("what a trusted proxy says of its client goes on", async () => {
  const headers = { "Client-Cert": ":cHJveHk=:", "X-Forwarded-Client-Cert": "Hash=1" };
  const listener = { trustedProxies: ["127.0.0.1"] };
  expect(await ask({ mode: "none", bytes: request({ headers }), listener })).toMatchObject({
    "client-cert": ":cHJveHk=:",
    "x-forwarded-client-cert": "Hash=1",
  });
});

describe.each([0x0303, 0x0304])("with TLS version %d", (version) => {
  test("required: no certificate, or one that cannot be verified, is no connection", async () => {
    expect(await ask({ mode: "required", version })).toBeUndefined();
    for (const shows of [stranger, late]) expect(await ask({ mode: "required", shows, version })).toBeUndefined();
    expect(await ask({ mode: "required", shows: known, version })).toBeDefined();
  });

  test("optional: no certificate is fine, and one that cannot be verified is no connection", async () => {
    expect(await ask({ mode: "optional", version })).toBeDefined();
    for (const shows of [stranger, late]) expect(await ask({ mode: "optional", shows, version })).toBeUndefined();
    expect(await ask({ mode: "optional", shows: known, version })).toBeDefined();
  });
});

test("a refused certificate is one line of the log, with the reason", async () => {
  const tls = { ...trust, clientCertificates: { mode: "required", ca: "authority.pem" } };
  await using fixture = GatewayFixture.open({ listener: { tls } });
  const client = await RawClient.open(fixture.port, { tls: { ca, ...stranger } }).catch(() => undefined);
  expect(await fixture.record()).toMatchObject({
    error: "tls_failed",
    status: 0,
    cause: "the client's certificate was not accepted: unable to verify the first certificate",
  });
  expect(client?.text ?? "").toBe("");
});

test.skipIf(!requires("openssl", "openssl"))(
  "a session is resumed with its certificate, and not after the trust has changed",
  async () => {
    using files = TlsFiles.make();
    const { folder } = files;
    files.add("client", known);
    const others = files.write("others.pem", issueCertificate({ name: "others", isAuthority: true }).cert);
    await using backend = ScriptedBackend.open(friendly);
    const settings = (own: string) => ({
      to: [backend],
      listener: { tls: { ...trust, clientCertificates: { mode: "required", ca: own } } },
    });
    await using fixture = GatewayFixture.open(settings("authority.pem"));
    const { port } = fixture;
    const openssl = async (session: string): Promise<string> => {
      const words = `-connect 127.0.0.1:${port} -cert client.pem -key client.key ${session}`.split(" ");
      const child = Bun.spawn(["openssl", "s_client", ...words], {
        cwd: folder,
        stdin: "pipe",
        stdout: "pipe",
        stderr: "ignore",
      });
      child.stdin.write(request({ headers: { Connection: "close" } }));
      await child.stdin.flush();
      return new Response(child.stdout).text();
    };
    expect(await openssl("-sess_out session")).toContain("200 OK");
    const resumed = await openssl("-sess_in session");
    expect(resumed).toContain("Reused");
    expect(resumed).toContain("200 OK");
    const seen = backend.requests.map((arrived) => header(arrived, "client-cert"));
    expect(seen).toEqual([expect.stringContaining(":"), seen[0]]);
    const { listener } = settings(others);
    const next = snapshotOf({ ...settings(others), listener: { ...listener, address: `127.0.0.1:${port}` } });
    expect(fixture.gateway.apply({ ...next, revision: 2 })).toEqual([]);
    expect(await openssl("-sess_in session")).not.toContain("200 OK");
    expect(backend.requests).toHaveLength(2);
  },
);

test.skipIf(!requires("openssl", "openssl"))("a revoked certificate is refused", async () => {
  using files = TlsFiles.make();
  const { folder } = files;
  files.add("ca", issueCertificate({ name: "revoking", isAuthority: true }));
  files.write(
    "ca.cnf",
    `[ca]\ndefault_ca=x\n[x]\ndatabase=${folder}/index\ndefault_md=sha256\ndefault_crl_days=9\npolicy=p\n[p]\n`,
  );
  files.write("index", "");
  const issuer = issueCertificate({ name: "revoking", isAuthority: true });
  files.add("ca", issuer);
  const [good, bad] = [issueCertificate({ name: "good", issuer }), issueCertificate({ name: "bad", issuer })];
  files.add("bad", bad);
  const openssl = (...args: string[]): void => {
    const done = Bun.spawnSync(
      ["openssl", "ca", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", ...args],
      { cwd: folder },
    );
    if (done.exitCode !== 0) throw new Error(done.stderr.toString());
  };
  openssl("-revoke", "bad.pem");
  openssl("-gencrl", "-out", "crl.pem");
  const clientCertificates = { mode: "required", ca: `${folder}/ca.pem`, crl: `${folder}/crl.pem` };
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend], listener: { tls: { ...trust, clientCertificates } } });
  const status = async (shows: typeof good): Promise<number | undefined> => {
    try {
      const client = await RawClient.open(fixture.port, { tls: { ca, ...shows } });
      client.write(request());
      return (await client.response()).status;
    } catch {
      return undefined;
    }
  };
  expect([await status(good), await status(bad)]).toEqual([200, undefined]);
});
