import { afterEach, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AcmeServer, type AcmeServerSettings } from "../../../test/support/acme-server.ts";
import { testAuthority } from "../../../test/support/test-certificates.ts";
import { until } from "../../../test/support/until.ts";
import { type AcmeChallenge, challengePath } from "../../core/acme-challenge.ts";
import type { AcmeSettings } from "../../core/acme-settings.ts";
import { issueCertificate } from "../../kit/issue-certificate.ts";
import { keepPair, periodOf } from "./certificate-folder.ts";
import { Renewals } from "./renewals.ts";

const dayMs = 86_400_000;
const pace = { lookMs: 10, retry: { firstMs: 100, mostMs: 1000, calmMs: 60_000 }, orderMs: 5000 };
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Renewals of one certificate for a.test, an authority, and a site that shows what it is told to show. */
function open(more: { server?: Partial<AcmeServerSettings>; pace?: Partial<typeof pace> } = {}) {
  let shown: readonly AcmeChallenge[] = [];
  let isBroken = false;
  const site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) => {
      const { pathname } = new URL(url);
      const found = shown.find((one) => one.type === "http-01" && challengePath + one.token === pathname);
      return found?.type !== "http-01" || isBroken ? new Response("", { status: 404 }) : new Response(found.answer);
    },
  });
  const server = new AcmeServer({ httpPort: site.port ?? 0, tlsPort: 0, ...more.server });
  const folder = join(mkdtempSync(join(tmpdir(), "causeway-acme-")), "deep", "acme");
  cleanUps.push(
    () => site.stop(true),
    () => server[Symbol.asyncDispose](),
    () => rmSync(join(folder, "..", ".."), { recursive: true, force: true }),
  );
  const file = join(folder, "a.test.pem");
  const settings: AcmeSettings = {
    directory: server.directory,
    ca: testAuthority().cert,
    challenge: "http-01",
    folder,
    certificates: [{ names: ["a.test", "www.a.test"], file }],
  };
  const log: { readonly event: string; readonly says: string; readonly at: number }[] = [];
  const write = (event: string, says: string) => log.push({ event, says, at: Date.now() });
  const wanted: { settings: AcmeSettings | undefined } = { settings };
  const start = () => {
    const stopping = new AbortController();
    cleanUps.push(() => stopping.abort());
    const renewals = new Renewals({
      log: { info: write, warn: write, error: write },
      settings: () => wanted.settings,
      show: async (challenges) => {
        shown = challenges;
      },
      pace: { ...pace, ...more.pace },
    });
    void renewals.watch(stopping.signal);
    return { renewals, stop: () => stopping.abort() };
  };
  const events = () => log.map(({ event }) => event);
  return {
    server,
    folder,
    file,
    settings,
    wanted,
    log,
    events,
    start,
    shown: () => shown,
    breakSite: (is: boolean) => {
      isBroken = is;
    },
  };
}

function serialIn(file: string): string {
  const text = readFileSync(file, "utf8");
  return new X509Certificate(text.slice(text.indexOf("-----BEGIN CERTIFICATE"))).serialNumber;
}

test("a certificate that is not there is ordered, and kept where only this user reads it", async () => {
  const { server, folder, file, start, events, log, shown } = open();
  const { renewals } = start();
  await until(() => events().includes("certificate-issued"));
  expect(server.issued).toEqual(["a.test,www.a.test"]);
  expect(events()).toEqual(["certificate-ordered", "certificate-issued"]);
  expect(log[0]?.says).toBe(`a certificate for a.test, www.a.test is ordered from ${server.directory}`);
  expect(readdirSync(folder).sort()).toEqual(["a.test.pem", "account.key"]);
  for (const path of [file, join(folder, "account.key")]) expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(renewals.orders).toEqual({ issued: 1, failed: 0 });
  expect(shown()).toEqual([]);
});

test("who starts again finds what is there, and asks nobody", async () => {
  const { server, start, events, log } = open();
  const first = start();
  await until(() => events().includes("certificate-issued"));
  first.stop();
  log.length = 0;
  const asked = server.messages.length;
  let looks = 0;
  const second = start();
  await until(() => ++looks > 20);
  expect([events(), server.messages.length, second.renewals.orders.issued]).toEqual([[], asked, 0]);
});

test("a certificate is renewed once it has lived two thirds of its life, by the same account and with another key", async () => {
  // Two thirds of it are over 0.3 to 1.3 seconds from now: certificates know no parts of a second.
  const { server, file, start, events, log } = open({ server: { validFrom: -20_000, validUntil: 12_000 } });
  start();
  await until(() => events().includes("certificate-issued"));
  const [serial, text] = [serialIn(file), readFileSync(file, "utf8")];
  const { from, until: ends } = periodOf(file) ?? { from: 0, until: 0 };
  server.settings.validUntil = 90 * dayMs;
  await until(() => events().filter((event) => event === "certificate-issued").length === 2);
  const late = (log[2]?.at ?? 0) - from - ((ends - from) * 2) / 3;
  expect(late).toBeWithin(0, 2000);
  expect(serialIn(file)).not.toBe(serial);
  expect(readFileSync(file, "utf8").slice(0, 200)).not.toBe(text.slice(0, 200));
  expect(server.messages.filter((what) => what === "account").length).toBeGreaterThan(1);
  expect(server.issued).toHaveLength(2);
});

test("a failing order is tried again, ever later, loses nothing that is there, and says when", async () => {
  const { server, file, start, events, log, breakSite } = open();
  const old = issueCertificate({
    name: "old",
    hosts: ["a.test"],
    from: Date.now() - 80 * dayMs,
    until: Date.now() + dayMs,
  });
  breakSite(true);
  keepPair(file, old);
  const kept = readFileSync(file, "utf8");
  const { renewals } = start();
  await until(() => renewals.orders.failed >= 3);
  expect(readFileSync(file, "utf8")).toBe(kept);
  expect(events().slice(0, 4)).toEqual([
    "certificate-ordered",
    "certificate-failed",
    "certificate-ordered",
    "certificate-failed",
  ]);
  expect(log[1]?.says).toContain("a.test could not be shown to be ours: a.test answers 404");
  expect(log[1]?.says).toMatch(/; it is ordered again in 1s, and the one there is ends 20\d\d-/);
  const failed = log.filter(({ event }) => event === "certificate-failed").length;
  breakSite(false);
  await until(() => renewals.orders.issued === 1);
  expect(failed).toBeLessThan(6);
  expect(serialIn(file)).not.toBe(new X509Certificate(old.cert).serialNumber);
  expect(server.issued).toHaveLength(1);
});

test("an authority that wants to be left alone is left alone, until the configuration changes", async () => {
  const { server, start, events, log, wanted, settings } = open({ server: { isBusyFor: 3600 } });
  const { renewals } = start();
  await until(() => renewals.orders.failed === 1);
  expect(log.at(-1)?.says).toContain("too many orders; it is ordered again in 1h");
  const asked = server.problems.length;
  let looks = 0;
  await until(() => ++looks > 20);
  expect(server.problems.length).toBe(asked);
  server.settings.isBusyFor = undefined;
  wanted.settings = { ...settings, email: "ops@a.test" };
  await until(() => events().includes("certificate-issued"));
  expect(server.contacts).toEqual(["mailto:ops@a.test"]);
});

test("what nobody wants any more is not ordered to its end, and nothing is said of it", async () => {
  const { server, start, events, wanted, shown } = open();
  using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  server.settings.httpPort = silent.port;
  start();
  await until(() => shown().length > 0);
  wanted.settings = undefined;
  await until(() => shown().length === 0);
  expect(events()).toEqual(["certificate-ordered"]);
  expect(server.issued).toEqual([]);
});

test("an authority that says nothing costs one order its time", async () => {
  const { start, events, log, wanted, settings } = open({ pace: { orderMs: 100 } });
  using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  wanted.settings = { ...settings, directory: `https://127.0.0.1:${silent.port}/directory` };
  start();
  await until(() => events().includes("certificate-failed"));
  expect(log[1]?.says).toContain("the authority took too long");
});

test("nothing is ordered that could not be kept, or with an account that cannot be read", async () => {
  const { server, folder, start, log } = open();
  keepPair(join(folder, "account.key"), { cert: "no key", key: "" });
  const { renewals, stop } = start();
  await until(() => renewals.orders.failed > 0);
  expect(log[1]?.says).toContain("account.key is no account key");
  stop();
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "this is a file");
  log.length = 0;
  const again = start();
  await until(() => again.renewals.orders.failed > 0);
  expect(log[1]?.says).toContain("EEXIST");
  expect(server.messages).toEqual([]);
});
