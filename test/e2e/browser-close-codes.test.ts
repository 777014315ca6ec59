import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import type { Page } from "playwright-core";
import { type WebSocket as Peer, WebSocketServer } from "ws";
import { serveCloseCodes } from "../../examples/close-codes/app.ts";
import type { RunningExample } from "../../examples/shared/example.ts";
import { closeInPage, hasChromium, TestBrowser } from "../support/browser.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { siteYaml } from "../support/site-yaml.ts";
import { until } from "../support/until.ts";

const PATIENCE_MS = 30_000;
const RUNS = 250;
const ROUND = 10;

/**
 * A server that closes every socket at once: `/4000/why` with code and reason, `/none` without a code. At `/told` it waits for the
 * browser's Close, and tells what it was through `told`.
 */
class ClosingServer {
  readonly address: string;
  readonly told: string[] = [];
  readonly #server: WebSocketServer;

  private constructor(server: WebSocketServer, address: string) {
    this.#server = server;
    this.address = address;
  }

  static async open(): Promise<ClosingServer> {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    const closing = new ClosingServer(server, `127.0.0.1:${address.port}`);
    server.on("connection", (socket, request) => closing.#greet(socket, request.url ?? ""));
    return closing;
  }

  close(): void {
    this.#server.close();
  }

  #greet(socket: Peer, path: string): void {
    const [, code, reason = ""] = path.split("/");
    if (code === "told") socket.on("close", (code, reason) => this.told.push(`${code} ${reason}`));
    else if (code === "none") socket.close();
    else socket.close(Number(code), decodeURIComponent(reason));
  }
}

/** What the server and the page are told when the page closes. */
const goodbyes: readonly (readonly [string, readonly [] | readonly [number] | readonly [number, string], string])[] = [
  ["nothing", [], "1005 "],
  ["1000", [1000], "1000 "],
  ["a code and a reason", [4001, "bye ä"], "4001 bye ä"],
];

/** Without a code a browser says 1005. */
const codes: readonly (readonly [number, string])[] = [
  [1005, ""],
  [1000, ""],
  [1000, "all said"],
  [1001, "away"],
  [1011, "broken"],
  [1012, ""],
  [1013, ""],
  [1014, "lost"],
  [3000, "library"],
  [4999, "ä€😀".repeat(13)],
];

describe.skipIf(!hasChromium())("close codes through the gateway, in Chromium", () => {
  let server: ClosingServer;
  let app: RunningExample;
  let gateway: RunningGateway;
  let browser: TestBrowser;
  let page: Page;
  let socketUrl: string;
  beforeAll(async () => {
    server = await ClosingServer.open();
    app = serveCloseCodes({ host: "127.0.0.1", port: 0 });
    const upstreams = { "close-codes": [`127.0.0.1:${app.port}`], closing: [server.address] };
    [gateway, browser] = await Promise.all([RunningGateway.open(siteYaml({ upstreams })), TestBrowser.open()]);
    socketUrl = `${gateway.url.replace("http", "ws")}/closing`;
    page = await browser.newUser(`${gateway.url}/close-codes/`);
  }, PATIENCE_MS);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
    server?.close();
    app?.stop();
  });

  test(
    `a close with 4321 "test" right on connect arrives as it is, ${RUNS} times out of ${RUNS}`,
    async () => {
      const wanted = { opened: true, failed: false, code: 4321, reason: "test", wasClean: true, protocol: "" };
      for (let run = 0; run < RUNS; run += ROUND) {
        const round = Array.from({ length: ROUND }, () => closeInPage(page, `${socketUrl}/4321/test`));
        expect(await Promise.all(round)).toEqual(round.map(() => wanted));
      }
    },
    PATIENCE_MS,
  );

  test.each(codes)("a close of the server with %d %p is the page's close event", async (code, reason) => {
    const path = code === 1005 ? "none" : `${code}/${encodeURIComponent(reason)}`;
    const end = await closeInPage(page, `${socketUrl}/${path}`);
    expect(end).toEqual({ opened: true, failed: false, code, reason, wasClean: true, protocol: "" });
  });

  test.each(goodbyes)("a page that closes with %s is heard as it is, and closes cleanly", async (_, close, said) => {
    server.told.length = 0;
    const end = await page.evaluate(
      ([url, close]) =>
        new Promise<string>((resolve) => {
          const socket = new WebSocket(url);
          socket.onopen = () => socket.close(...close);
          socket.onclose = ({ code, reason, wasClean }) => resolve(`${code} ${reason} ${wasClean}`);
        }),
      [`${socketUrl}/told`, [...close] as [number?, string?]] as const,
    );
    await until(() => server.told.length > 0);
    expect(server.told).toEqual([said]);
    expect(end).toBe(`${said} true`);
  });

  test(
    "the example's page shows the same directly and through the gateway",
    async () => {
      const own = await browser.newUser(`${gateway.url}/close-codes/`);
      await own.waitForSelector("#status[data-state]");
      expect(await own.locator("#status").textContent()).toBe("10 of 10 as asked, both ways");
      const rows = await own
        .locator("#rows tr")
        .evaluateAll((rows) =>
          rows.map((row) =>
            [...row.querySelectorAll<HTMLElement>("td[data-column]")]
              .filter((cell) => cell.dataset.code !== undefined)
              .map(({ dataset }) => `${dataset.code} ${dataset.reason} ${dataset.clean}`),
          ),
        );
      expect(rows).toHaveLength(10);
      for (const cells of rows) expect(cells).toEqual([cells[0] ?? "", cells[0] ?? ""]);
      expect(rows[0]?.[1]).toBe("4321 test true");
      expect(rows[1]?.[1]).toBe("1005  true");
    },
    PATIENCE_MS,
  );
});
