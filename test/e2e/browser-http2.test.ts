import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, X509Certificate } from "node:crypto";
import type { Page } from "playwright-core";
import { closeInPage, hasChromium, TestBrowser } from "../support/browser.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { testSite } from "../support/test-certificates.ts";
import { until } from "../support/until.ts";

const PATIENCE_MS = 30_000;

/** A page, and an echo that closes with the code it is told in its path. */
function serveApp(): Bun.Server<{ readonly code: number }> {
  return Bun.serve<{ readonly code: number }>({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request, server) {
      const code = Number(new URL(request.url).pathname.slice("/close/".length)) || 0;
      if (server.upgrade(request, { data: { code } })) return undefined;
      return new Response("<!doctype html><title>page</title>", { headers: { "Content-Type": "text/html" } });
    },
    websocket: {
      open: (socket) => {
        if (socket.data.code > 0) socket.close(socket.data.code, "why");
      },
      message: (socket, message) => {
        socket.send(message);
      },
    },
  });
}

/** Opens so many sockets in a page, sends a message on each, and gives back how many came back. */
function echoInPage(page: Page, url: string, count: number): Promise<number> {
  return page.evaluate(
    async ([url, count]) => {
      const sockets = Array.from({ length: count }, () => new WebSocket(url));
      const echo = (socket: WebSocket, nth: number): Promise<boolean> =>
        new Promise((resolve) => {
          socket.onopen = () => socket.send(`message ${nth}`);
          socket.onmessage = ({ data }) => resolve(data === `message ${nth}`);
          socket.onclose = () => resolve(false);
        });
      const came = await Promise.all(sockets.map(echo));
      Object.assign(globalThis, { sockets });
      return came.filter(Boolean).length;
    },
    [url, count] as const,
  );
}

describe.skipIf(!hasChromium())("AC-17.3: WebSockets over HTTP/2, in Chromium", () => {
  let app: Bun.Server<{ readonly code: number }>;
  let browser: TestBrowser;
  beforeAll(async () => {
    app = serveApp();
    const key = new X509Certificate(testSite().cert).publicKey.export({ type: "spki", format: "der" });
    const fingerprint = createHash("sha256").update(key).digest("base64");
    browser = await TestBrowser.open([`--ignore-certificate-errors-spki-list=${fingerprint}`]);
  }, PATIENCE_MS);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    app?.stop(true);
  });

  function open(http2: object): GatewayFixture {
    return GatewayFixture.open({ to: [{ port: app.port ?? 0 }], isSecure: true, listener: { http2 } });
  }

  test(
    "a hundred sockets share the connection of their page",
    async () => {
      await using fixture = open({});
      const page = await browser.newUser(`https://localhost:${fixture.port}/`);
      expect(await echoInPage(page, `wss://localhost:${fixture.port}/`, 100)).toBe(100);
      expect(fixture.gateway.status()).toMatchObject({ connections: 1, sessions: 100 });
      await page.close();
      await until(() => fixture.gateway.sessions.size === 0);
      const ends = fixture.records.flatMap((record) => (record.kind === "session-close" ? [record.end.reason] : []));
      expect(ends).toHaveLength(100);
    },
    PATIENCE_MS,
  );

  test.each([1000, 1001, 1011, 3000, 4321, 4999])("AC-4.1: a page hears the code %d over HTTP/2", async (code) => {
    await using fixture = open({});
    const page = await browser.newUser(`https://localhost:${fixture.port}/`);
    const url = `wss://localhost:${fixture.port}/close/${code}`;
    expect(await closeInPage(page, url)).toMatchObject({ opened: true, code, reason: "why", wasClean: true });
    expect(fixture.gateway.status().connections).toBe(1);
    const ends = () => fixture.records.filter((record) => record.kind === "session-close");
    await until(() => ends().length > 0);
    expect(ends()).toMatchObject([{ end: { isClean: true } }]);
  });

  test.each([{ enabled: false }, { webSockets: false }])(
    "AC-17.4: with %o sockets have connections of their own",
    async (http2) => {
      await using fixture = open(http2);
      const page = await browser.newUser(`https://localhost:${fixture.port}/`);
      expect(await echoInPage(page, `wss://localhost:${fixture.port}/`, 5)).toBe(5);
      expect(fixture.gateway.status().connections).toBeGreaterThan(5);
    },
  );
});
