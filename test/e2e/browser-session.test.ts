import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import type { Page } from "playwright-core";
import { WebSocketServer } from "ws";
import { closeInPage, hasChromium, TestBrowser } from "../support/browser.ts";
import { ExampleProcess } from "../support/example-process.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { siteYaml } from "../support/site-yaml.ts";
import { until } from "../support/until.ts";

const PATIENCE_MS = 30_000;

function count(gateway: RunningGateway, kind: "session-open" | "session-close"): number {
  return gateway.lines.filter((line) => line.kind === kind).length;
}

/** A server that takes the first subprotocol that begins with `good`, and keeps the lists it was offered. */
async function openPicky(): Promise<{ readonly server: WebSocketServer; readonly address: string; offers: unknown[] }> {
  const offers: unknown[] = [];
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    handleProtocols: (offered) => [...offered].find((one) => one.startsWith("good")) ?? false,
  });
  server.on("connection", (socket, request) => {
    offers.push(request.headers["sec-websocket-protocol"]);
    socket.close(1000, socket.protocol);
  });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return { server, address: `127.0.0.1:${address.port}`, offers };
}

describe.skipIf(!hasChromium())("a page's session through the gateway, in Chromium", () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await TestBrowser.open();
  }, PATIENCE_MS);
  afterAll(async () => browser?.[Symbol.asyncDispose]());

  async function value(page: Page, id: number): Promise<string | undefined> {
    return (await page.locator("#bars .value").allTextContents())[id - 1];
  }

  test(
    "stays through twenty changes of the configuration, and hears every update",
    async () => {
      await using app = await ExampleProcess.open("dashboard");
      const upstreams = { dashboard: [app.address] };
      await using gateway = await RunningGateway.open(siteYaml({ upstreams }));
      const page = await browser.newUser(`${gateway.url}/dashboard/`);
      await page.waitForSelector("#status[data-state=good]");
      const { port = 0 } = gateway.ready.listeners[0] ?? {};
      for (let change = 1; change <= 20; change++) {
        const filters = { dashboard: [`headers: { response: { set: { X-Change: "${change}" } } }`] };
        gateway.write(siteYaml({ upstreams, port, filters, route: `timeouts: { connect: ${change}s }` }));
        const url = `${gateway.url}/dashboard/api?id=1&value=${change}`;
        await until(async () => (await fetch(url)).headers.get("x-change") === `${change}`);
        await until(async () => (await value(page, 1)) === `${change}`);
      }
      expect(await page.locator("#status").textContent()).toBe("connected");
      expect([count(gateway, "session-open"), count(gateway, "session-close")]).toEqual([1, 0]);
    },
    PATIENCE_MS,
  );

  test.each([
    ["1014 by default", "", 1014],
    ["the configured code", "closeCodes: { upstreamLost: 4502 }", 4502],
  ])(
    "ends within a second with %s when the application is killed",
    async (_, route, code) => {
      await using app = await ExampleProcess.open("dashboard");
      await using gateway = await RunningGateway.open(siteYaml({ upstreams: { dashboard: [app.address] }, route }));
      const page = await browser.newUser(`${gateway.url}/dashboard/healthz`);
      const end = closeInPage(page, `${gateway.url.replace("http", "ws")}/dashboard/ws`);
      await until(() => count(gateway, "session-open") === 1);
      const killedAt = performance.now();
      await app.kill();
      expect(await end).toMatchObject({ opened: true, failed: false, code, wasClean: true });
      expect(performance.now() - killedAt).toBeLessThan(1000);
    },
    PATIENCE_MS,
  );

  test(
    "speaks the subprotocol that the application chose, out of the list as the page gave it",
    async () => {
      const picky = await openPicky();
      await using gateway = await RunningGateway.open(siteYaml({ upstreams: { picky: [picky.address] } }));
      const page = await browser.newUser(`${gateway.url}/`);
      const url = `${gateway.url.replace("http", "ws")}/picky/`;
      for (const [offered, chosen] of [
        [["bad.v1", "good.v2", "good.v1"], "good.v2"],
        [["good!#$%&'*+-.^_`|~"], "good!#$%&'*+-.^_`|~"],
        [[], ""],
      ] as const) {
        expect(await closeInPage(page, url, offered)).toMatchObject({ opened: true, protocol: chosen, reason: chosen });
      }
      // A page that offers some wants one of them (RFC 6455, section 4.1): the browser refuses, as it does without a gateway.
      const refused = { opened: false, code: 1006 };
      expect(await closeInPage(page, url, ["bad"])).toMatchObject(refused);
      expect(await closeInPage(page, `ws://${picky.address}/`, ["bad"])).toMatchObject(refused);
      const offers = ["bad.v1, good.v2, good.v1", "good!#$%&'*+-.^_`|~", undefined, "bad", "bad"];
      expect(picky.offers).toEqual(offers);
      picky.server.close();
    },
    PATIENCE_MS,
  );
});
