import { expect, test } from "bun:test";
import { AcmeServer, type AcmeServerSettings } from "../support/acme-server.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { testAuthority } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { askTls } from "../support/tls-peer.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

const dayMs = 86_400_000;

/** An authority that looks for its answers at the ports of the gateway, as soon as it is known which they are. */
function authority(more: Partial<AcmeServerSettings> = {}) {
  const ports = Promise.withResolvers<RunningGateway>();
  const portOf = (name: string): Promise<number> => ports.promise.then((gateway) => portAt(gateway, name));
  const server = new AcmeServer({ httpPort: portOf("web"), tlsPort: portOf("secure"), ...more });
  return { server, serves: (gateway: RunningGateway) => ports.resolve(gateway) };
}

function portAt(gateway: RunningGateway, name: string): number {
  return gateway.ready.listeners.find((listener) => listener.name === name)?.port ?? 0;
}

function yaml(server: AcmeServer, files: TlsFiles, more: { app: WsApp; acme: object }): string {
  return JSON.stringify({
    admin: { address: "127.0.0.1:0" },
    workers: 2,
    log: { format: "json" },
    drain: { window: "0s", grace: "1s" },
    acme: {
      directory: server.directory,
      agreeToTerms: true,
      ca: files.write("authority.pem", testAuthority().cert),
      folder: `${files.folder}/acme`,
      ...more.acme,
    },
    listeners: {
      web: { address: "127.0.0.1:0", redirectToHttps: true },
      secure: { address: "127.0.0.1:0", tls: { certificates: [{ acme: ["a.test", "b.test"] }] } },
    },
    upstreams: { app: { endpoints: [`127.0.0.1:${more.app.port}`] } },
    routes: { all: { to: "app" } },
  });
}

/** Events of the log about certificates. */
function events(gateway: RunningGateway): readonly unknown[] {
  return gateway.lines.map(({ event }) => event).filter((event) => String(event).startsWith("certificate-"));
}

/** Certificates are looked at elsewhere. */
const unasked = { isSecure: true, rejectUnauthorized: false };

async function serialAt(port: number, servername: string): Promise<string | undefined> {
  const { certificate } = await askTls(port, {
    servername,
    ca: testAuthority().cert,
    rejectUnauthorized: true,
    checkServerIdentity: () => undefined,
  });
  return certificate?.serialNumber;
}

test("tls-alpn-01: two workers get a certificate, serve it, renew it without closing a session, and find it again", async () => {
  using files = TlsFiles.make();
  await using app = await WsApp.open(echo);
  const hmacKey = Buffer.from("a shared secret of the account").toString("base64url");
  const eab = { keyId: "k1", hmacKey };
  const { server, serves } = authority({ validFrom: -4000, validUntil: 5000, eab });
  await using _ = server;
  const config = yaml(server, files, { app, acme: { challenge: "tls-alpn-01", eab, email: "ops@a.test" } });
  await using gateway = await RunningGateway.open(config);
  serves(gateway);
  const port = portAt(gateway, "secure");

  await until(async () => (await serialAt(port, "b.test")) !== undefined);
  expect(events(gateway).slice(0, 2)).toEqual(["certificate-ordered", "certificate-issued"]);
  const serial = await serialAt(port, "a.test");
  const peers = await Promise.all(Array.from({ length: 20 }, () => WsPeer.open(port, unasked)));
  server.settings.validUntil = 90 * dayMs;
  await until(async () => ![undefined, serial].includes(await serialAt(port, "a.test")), 10_000);
  for (const peer of peers) peer.send("still here");
  await until(() => peers.every((peer) => peer.messages.length === 1));
  expect(peers.map(({ end }) => end)).toEqual(peers.map(() => undefined));
  expect(server.issued).toEqual(["a.test,b.test", "a.test,b.test"]);
  // One nonce is spoiled on purpose for every account that is opened first.
  expect(new Set(server.problems)).toEqual(new Set(["badNonce"]));

  const shown = await (await fetch(`${gateway.ready.admin}/api/config`)).text();
  expect(shown).toContain('"keyId":"k1"');
  for (const text of [shown, gateway.said, JSON.stringify(gateway.lines)]) expect(text).not.toContain(hmacKey);
  const metrics = await (await fetch(`${gateway.ready.admin}/metrics`)).text();
  expect(metrics).toContain('causeway_acme_orders_total{result="issued"} 2');
  expect(metrics).toContain('causeway_acme_orders_total{result="failed"} 0');
  const days = /^causeway_certificate_days_left\{listener="secure",file="[^"]*a\.test-[0-9a-f]{8}\.pem"\} ([\d.]+)$/m;
  expect(Number(days.exec(metrics)?.[1])).toBeGreaterThan(89);

  const sent = server.messages.length;
  await using again = await RunningGateway.open(config);
  expect(await serialAt(portAt(again, "secure"), "a.test")).toBe(await serialAt(port, "a.test"));
  expect([events(again), server.messages.length]).toEqual([[], sent]);
}, 20_000);

test("http-01: whichever of two workers is asked answers, and until then names without a certificate are refused", async () => {
  using files = TlsFiles.make();
  await using app = await WsApp.open(echo);
  const { server, serves } = authority({ challenges: ["http-01"] });
  await using _ = server;
  await using gateway = await RunningGateway.open(yaml(server, files, { app, acme: {} }));
  const port = portAt(gateway, "secure");
  expect((await askTls(port, { servername: "a.test" })).failure).toBeDefined();
  const says = "there is no certificate for this listener yet";
  await until(() => gateway.lines.some(({ error, cause }) => error === "tls_failed" && cause === says));

  serves(gateway);
  await until(async () => (await serialAt(port, "b.test")) !== undefined);
  const peer = await WsPeer.open(port, unasked);
  peer.send("hello");
  await until(() => peer.messages.length === 1);
  expect(events(gateway)).toEqual(["certificate-ordered", "certificate-issued"]);
});

test("a name that is not shown to be ours leaves the rest alone, and says why and when it is tried again", async () => {
  using files = TlsFiles.make();
  await using app = await WsApp.open(echo);
  const { server } = authority({ httpPort: 1 });
  await using _ = server;
  await using gateway = await RunningGateway.open(yaml(server, files, { app, acme: {} }));
  await until(() => events(gateway).includes("certificate-failed"));
  const line = gateway.event("certificate-failed");
  expect(line).toMatchObject({ level: "error", names: ["a.test", "b.test"] });
  expect(Number(line?.retryMs)).toBeGreaterThan(59_000);
  expect(String(line?.message)).toContain("could not be shown to be ours");
  expect((await fetch(`http://127.0.0.1:${portAt(gateway, "web")}/x`, { redirect: "manual" })).status).toBe(308);
});
