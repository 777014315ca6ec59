import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, X509Certificate } from "node:crypto";
import type { Page } from "playwright-core";
import { serveCloseCodes } from "../../examples/close-codes/app.ts";
import { hasChromium, TestBrowser } from "../support/browser.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { signedPair, testSite } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";

const PATIENCE_MS = 30_000;

/** What the page says, and how many cells of each column show an end. */
type Shown = {
  readonly says: string | null;
  readonly directly: number;
  readonly through: number;
  readonly isMixed: boolean;
  readonly isUntrusted: boolean;
};

describe.skipIf(!hasChromium())("the page of the close codes over https, in Chromium", () => {
  const files = TlsFiles.make();
  let browser: TestBrowser;
  beforeAll(async () => {
    const key = new X509Certificate(testSite().cert).publicKey.export({ type: "spki", format: "der" });
    const fingerprint = createHash("sha256").update(key).digest("base64");
    browser = await TestBrowser.open([`--ignore-certificate-errors-spki-list=${fingerprint}`]);
  }, PATIENCE_MS);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    files[Symbol.dispose]();
  });

  async function show(environment: Readonly<Record<string, string>>): Promise<Shown> {
    const app = serveCloseCodes({ host: "127.0.0.1", port: 0 }, environment);
    await using fixture = GatewayFixture.open({ to: [app], isSecure: true });
    const page: Page = await browser.newUser(`https://localhost:${fixture.port}/`);
    await page.waitForSelector("#status[data-state]");
    const shown = await page.evaluate(() => {
      const ends = (column: string) => document.querySelectorAll(`td[data-column="${column}"][data-clean=true]`).length;
      return {
        says: document.querySelector("#status")?.textContent ?? null,
        directly: ends("Directly"),
        through: ends("Through the gateway"),
        isMixed: document.querySelector("#mixed[hidden]") === null,
        isUntrusted: document.querySelector("#untrusted[hidden]") === null,
      };
    });
    await page.close();
    app.stop();
    return shown;
  }

  test(
    "a server with a certificate is shown both ways",
    async () => {
      const { cert, key } = files.add("site", testSite());
      const both = { says: "10 of 10 as asked, both ways", directly: 10, through: 10 };
      expect(await show({ TLS_CERT: cert, TLS_KEY: key })).toEqual({ ...both, isMixed: false, isUntrusted: false });
    },
    PATIENCE_MS,
  );

  test(
    "of one without, only the way through the gateway is shown, and the page says why",
    async () => {
      const one = { says: "10 of 10 as asked", directly: 0, through: 10 };
      expect(await show({})).toEqual({ ...one, isMixed: true, isUntrusted: false });
    },
    PATIENCE_MS,
  );

  test(
    "where the browser does not accept the server's certificate, the page says what to do",
    async () => {
      const { cert, key } = files.add("other", signedPair({ name: "other", hosts: ["127.0.0.1"] }));
      const none = { says: "0 of 10 as asked, both ways", directly: 0, through: 10 };
      expect(await show({ TLS_CERT: cert, TLS_KEY: key })).toEqual({ ...none, isMixed: false, isUntrusted: true });
    },
    PATIENCE_MS,
  );
});
