import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { closeInPage, hasChromium, TestBrowser } from "../support/browser.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { siteYaml } from "../support/site-yaml.ts";
import { until } from "../support/until.ts";

const PATIENCE_MS = 20_000;

/** An application that logs in everybody who comes, and tells everybody who opens a WebSocket with the cookie who they are. */
class Bank implements Disposable {
  /** The cookies of the handshakes that came. */
  readonly handshakes: (string | null)[] = [];
  readonly #server = Bun.serve<string>({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, server) => {
      const url = new URL(request.url);
      const headers = {
        "content-type": "text/html",
        "set-cookie": `user=anna; Path=/; ${url.searchParams.get("cookie")}`,
      };
      if (url.pathname !== "/ws") return new Response("welcome", { headers });
      const cookie = request.headers.get("cookie");
      this.handshakes.push(cookie);
      return server.upgrade(request, { data: cookie ?? "nobody" }) ? undefined : new Response("", { status: 426 });
    },
    websocket: {
      open: (socket) => socket.close(4000, socket.data),
      message() {},
    },
  });

  get address(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  [Symbol.dispose](): void {
    this.#server.stop(true);
  }
}

/** Whose page opens a WebSocket to whom, and how the cookie is set so that the browser sends it along. */
const cases = [
  { bank: "localhost", attacker: "evil.test", cookie: "SameSite=None; Secure", what: "another site" },
  { bank: "app.bank.test", attacker: "evil.bank.test", cookie: "SameSite=Lax", what: "a sibling host" },
  { bank: "app.bank.test", attacker: "app.bank.test", cookie: "SameSite=Strict", what: "another port" },
] as const;

describe.skipIf(!hasChromium())("a page of another origin with the user's cookie, in Chromium", () => {
  const bank = new Bank();
  const evil = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response("<!doctype html>win a prize", { headers: { "content-type": "text/html" } }),
  });
  let gateway: RunningGateway;
  let browser: TestBrowser;
  beforeAll(async () => {
    const allow = cases.map(({ attacker }) => `"http://${attacker}:${evil.port}"`).join(", ");
    const upstreams = { plain: [bank.address], listed: [bank.address] };
    const filters = { listed: [`origin: { allow: [ ${allow} ] }`] };
    [gateway, browser] = await Promise.all([
      RunningGateway.open(siteYaml({ upstreams, filters })),
      TestBrowser.openTrusting(),
    ]);
  }, PATIENCE_MS);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
    bank[Symbol.dispose]();
    await evil.stop(true);
  });

  const at = (scheme: string, host: string, path: string): string => `${scheme}://${host}:${port()}${path}`;
  const port = (): string => new URL(gateway.url).port;
  const refusals = (): number => gateway.lines.filter(({ error }) => error === "forbidden_origin").length;

  /** A user who has logged in at the bank, and has gone on to the attacker's page. */
  async function lure({ bank, attacker, cookie }: (typeof cases)[number]): Promise<Page> {
    const page = await browser.newUser(at("http", bank, `/plain/?cookie=${encodeURIComponent(cookie)}`));
    expect(await closeInPage(page, at("ws", bank, "/plain/ws"))).toMatchObject({ code: 4000, reason: "user=anna" });
    await page.goto(`http://${attacker}:${evil.port}/`);
    return page;
  }

  test.each(cases)("from $what is refused with 403 by default, and the application hears nothing", async (one) => {
    const page = await lure(one);
    const [before, heard] = [refusals(), bank.handshakes.length];
    expect(await closeInPage(page, at("ws", one.bank, "/plain/ws"))).toMatchObject({ opened: false, code: 1006 });
    await until(() => refusals() === before + 1);
    expect(gateway.lines.findLast(({ error }) => error === "forbidden_origin")).toMatchObject({ status: 403 });
    expect(bank.handshakes).toHaveLength(heard);
  });

  test.each(cases)("from $what is let through where the route lists it, cookie and all", async (one) => {
    const page = await lure(one);
    expect(await closeInPage(page, at("ws", one.bank, "/listed/ws"))).toMatchObject({
      code: 4000,
      reason: "user=anna",
    });
  });

  test("without a cookie a page of another origin may connect by default", async () => {
    const page = await browser.newUser(`http://evil.test:${evil.port}/`);
    expect(await closeInPage(page, at("ws", "localhost", "/plain/ws"))).toMatchObject({ code: 4000, reason: "nobody" });
  });
});
