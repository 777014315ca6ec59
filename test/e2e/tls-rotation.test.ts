import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { Gateway } from "../../src/dataplane/gateway.ts";
import { snapshotOf } from "../support/gateway-fixture.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { signedPair } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { askTls, commonName } from "../support/tls-peer.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

const dayMs = 86_400_000;
const hosts = ["site.test", "127.0.0.1"];

/** A gateway with one TLS listener, whose certificate and key are these files. */
function openSecure(place: { readonly cert: string; readonly key: string }, app: WsApp): Promise<RunningGateway> {
  return RunningGateway.open(`
listeners: { web: { address: "127.0.0.1:0", tls: { certificates: [ ${JSON.stringify(place)} ] } } }
upstreams: { app: { endpoints: [ "127.0.0.1:${app.port}" ] } }
routes: { all: { to: app } }
admin: { address: "127.0.0.1:0" }
`);
}

test("AC-1.5, AC-25.2: renewed files are in use within a second, mistakes in them change nothing, and no session closes", async () => {
  using files = TlsFiles.make();
  await using app = await WsApp.open(echo);
  const place = files.add("site", signedPair({ name: "first", hosts, until: Date.now() + 10 * dayMs }));
  await using gateway = await openSecure(place, app);
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const peers = await Promise.all(Array.from({ length: 20 }, () => WsPeer.open(port, { isSecure: true })));
  const inUse = async (): Promise<unknown> => commonName(await askTls(port, { servername: "site.test" }));
  expect(await inUse()).toBe("first");

  files.add("site", signedPair({ name: "second", hosts }));
  const renewedAt = performance.now();
  await until(async () => (await inUse()) === "second");
  expect(performance.now() - renewedAt).toBeLessThan(1000);
  expect(commonName(await askTls(port, {}))).toBe("second");

  files.write("site.key", signedPair({ name: "stranger" }).key);
  await until(() => JSON.stringify(gateway.lines).includes("does not belong to the certificate"));
  expect(JSON.stringify(gateway.lines)).toContain("site.key");
  expect(await inUse()).toBe("second");

  files.add("site", signedPair({ name: "third", hosts, until: Date.now() + 30 * dayMs }));
  await until(async () => (await inUse()) === "third");
  const metrics = await (await fetch(`${gateway.ready.admin}/metrics`)).text();
  const days = Number(/^causeway_certificate_days_left\{listener="web",file="[^"]+"\} ([\d.]+)$/m.exec(metrics)?.[1]);
  expect(days).toBeGreaterThan(29.9);
  expect(days).toBeLessThan(30.1);

  for (const peer of peers) peer.send("still here");
  await until(() => peers.every((peer) => peer.messages.length === 1));
  expect(peers.map(({ end }) => end)).toEqual(peers.map(() => undefined));
});

test("AC-1.5: while a hundred wss sessions talk, certificates are replaced again and again, and nothing is lost", async () => {
  using files = TlsFiles.make();
  await using app = await WsApp.open(echo);
  const place = files.add("site", signedPair({ name: "0", hosts }));
  await using gateway = await openSecure(place, app);
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const peers = await Promise.all(Array.from({ length: 100 }, () => WsPeer.open(port, { isSecure: true })));
  const talks = peers.map((peer, at) => talk(peer, `session ${at}, `));
  for (const name of ["1", "2", "3"]) {
    const heard = talks.map(({ messages }) => messages);
    files.add("site", signedPair({ name, hosts }));
    await until(async () => commonName(await askTls(port, { servername: "site.test" })) === name);
    await until(() => talks.every(({ messages }, at) => messages > (heard[at] ?? 0) + 5));
  }
  expect(talks.filter(({ isWrong }) => isWrong)).toEqual([]);
  expect(peers.map(({ end }) => end)).toEqual(peers.map(() => undefined));
  for (const { socket } of peers) socket.terminate();
});

/** Sends a message, and the next one when its echo has come, and so on. */
function talk(peer: WsPeer, words: string): { messages: number; isWrong: boolean } {
  const seen = { messages: 0, isWrong: false };
  const message = (at: number) => `${at} `.padEnd(1 + ((at * 997) % 5000), words);
  peer.keeps = false;
  peer.onMessage = (answer) => {
    seen.isWrong ||= answer.toString() !== message(seen.messages);
    seen.messages++;
    peer.send(message(seen.messages));
  };
  peer.send(message(0));
  return seen;
}

test("private keys are neither shown nor logged", async () => {
  using files = TlsFiles.make();
  const pair = signedPair({ name: "site" });
  const certificates = JSON.stringify([files.add("site", pair)]);
  await using gateway = await RunningGateway.open(`
log: { format: json }
listeners: { web: { address: "127.0.0.1:0", tls: { certificates: ${certificates} } } }
upstreams: { app: { endpoints: [ "127.0.0.1:1" ] } }
routes: { all: { to: app } }
admin: { address: "127.0.0.1:0" }
`);
  const pages = [
    "/api/config",
    "/api/listeners",
    "/api/upstreams",
    "/api/routes",
    "/api/workers",
    "/api/issues",
    "/metrics",
  ];
  const shown = await Promise.all(pages.map(async (page) => (await fetch(gateway.ready.admin + page)).text()));
  const secret = pair.key.split("\n")[1] ?? "";
  expect(secret.length).toBeGreaterThan(40);
  for (const text of [...shown, gateway.said, JSON.stringify(gateway.lines)]) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain("PRIVATE KEY");
  }
  expect(shown[0]).toContain('"file":');
});

test("renewed certificates change nothing of what ALPN offers, whether a client asks for a name or not", async () => {
  using files = TlsFiles.make();
  await using gateway = new Gateway();
  const certificates = (name: string) => [files.add(name, signedPair({ name, hosts }))];
  const snapshot = (name: string, revision: number) => {
    const snapshot = snapshotOf({ isSecure: true, listener: { tls: { certificates: certificates(name) } } });
    const port = gateway.listeners[0]?.port ?? 0;
    return { ...snapshot, revision, listeners: snapshot.listeners.map((listener) => ({ ...listener, port })) };
  };
  const open = () => readdirSync("/proc/self/fd").length;
  gateway.apply(snapshot("first", 1));
  const port = gateway.listeners[0]?.port ?? 0;
  const descriptors = open();
  for (const [revision, name] of ["second", "third"].entries()) {
    expect(gateway.apply(snapshot(name, revision + 2))).toEqual([]);
    for (const options of [{}, { servername: "site.test" }, { servername: "unknown.test" }]) {
      const answer = await askTls(port, { ...options, ALPNProtocols: ["h2", "http/1.1"] });
      expect([commonName(answer), answer.protocol]).toEqual([name, "h2"]);
    }
  }
  await until(() => open() <= descriptors);
});
