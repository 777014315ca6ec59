import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, X509Certificate } from "node:crypto";
import type { Page } from "playwright-core";
import { serveCloseCodes } from "../../examples/close-codes/app.ts";
import { serveDashboard } from "../../examples/dashboard/app.ts";
import type { RunningExample } from "../../examples/shared/example.ts";
import type { IssuedPair } from "../../src/kit/issue-certificate.ts";
import { closeInPage, hasChromium, TestBrowser } from "../support/browser.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { siteYaml } from "../support/site-yaml.ts";
import { signedPair } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { askTls, commonName } from "../support/tls-peer.ts";
import { until } from "../support/until.ts";

const PATIENCE_MS = 20_000;
const hosts = ["site.test"];
const [first, renewed] = [signedPair({ name: "first", hosts }), signedPair({ name: "renewed", hosts })];

/** How Chromium names a certificate that it shall believe. */
function fingerprint({ cert }: IssuedPair): string {
  const key = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64");
}

describe.skipIf(!hasChromium()).each([
  { says: "HTTP/2", isShared: true },
  { says: "HTTP/1.1 alone", isShared: false },
])("pages over https and wss with $says, in Chromium", ({ isShared }) => {
  const files = TlsFiles.make();
  let apps: readonly RunningExample[];
  let gateway: RunningGateway;
  let browser: TestBrowser;
  let pages: readonly Page[];
  let port: number;
  beforeAll(async () => {
    const where = { host: "127.0.0.1", port: 0 };
    apps = [serveDashboard(where), serveCloseCodes(where)];
    const [dashboard, codes] = apps.map((app) => [`127.0.0.1:${app.port}`]);
    const tls = `tls: { certificates: [ ${JSON.stringify(files.add("site", first))} ] }`;
    const listener = `${tls}, http2: { enabled: ${isShared} }`;
    const yaml = siteYaml({ upstreams: { dashboard: dashboard ?? [], codes: codes ?? [] }, listener });
    const trust = `--ignore-certificate-errors-spki-list=${[first, renewed].map(fingerprint).join()}`;
    [gateway, browser] = await Promise.all([RunningGateway.open(yaml), TestBrowser.open([trust])]);
    port = gateway.ready.listeners[0]?.port ?? 0;
    pages = await Promise.all([1, 2, 3, 4].map(() => browser.newUser(`https://site.test:${port}/dashboard/`)));
    await Promise.all(pages.map((page) => page.waitForSelector("#status[data-state=good]")));
  }, PATIENCE_MS);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
    for (const app of apps ?? []) app.stop();
    files[Symbol.dispose]();
  });

  const shows = (page: Page, value: string): Promise<unknown> =>
    page.waitForFunction((value) => document.querySelectorAll("#bars .value")[7]?.textContent === value, value);

  /** Sets the last bar as one of the pages would. */
  const set = (value: string): Promise<number | undefined> | undefined =>
    pages[0]?.evaluate(async (value) => (await fetch(`api?id=8&value=${value}`)).status, value);

  test("four pages show one update at once, and it is wss that brings it", async () => {
    expect(await pages[0]?.evaluate(() => location.protocol)).toBe("https:");
    expect(await set("301")).toBe(200);
    await Promise.all(pages.map((page) => shows(page, "301")));
    expect((await gateway.admin("/api/sessions")).body).toMatchObject({ items: { length: 4 } });
  });

  test("AC-1.5: the certificate is renewed, and the pages keep their sockets", async () => {
    const sessions = async (): Promise<unknown> => {
      const { items } = (await gateway.admin("/api/sessions")).body as { readonly items: readonly { id: string }[] };
      return items.map(({ id }) => id);
    };
    const before = await sessions();
    files.add("site", renewed);
    await until(async () => commonName(await askTls(port, { servername: "site.test" })) === "renewed");
    expect(await set("302")).toBe(200);
    await Promise.all(pages.map((page) => shows(page, "302")));
    expect(await sessions()).toEqual(before);
  });

  test.each([1000, 1001, 1011, 3000, 4321, 4999])("AC-4.1: a page over wss hears the code %d", async (code) => {
    const [page] = pages;
    if (page === undefined) throw new Error("there is no page");
    const url = `wss://site.test:${port}/codes/ws?code=${code}&reason=why`;
    expect(await closeInPage(page, url)).toMatchObject({ opened: true, code, reason: "why", wasClean: true });
  });
});
