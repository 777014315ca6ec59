import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { serveCloseCodes } from "../../examples/close-codes/app.ts";
import { serveDashboard } from "../../examples/dashboard/app.ts";
import type { RunningExample } from "../../examples/shared/example.ts";
import { hasFirefox, TestFirefox } from "../support/firefox.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { until } from "../support/until.ts";

const PATIENCE_MS = 60_000;
const codes = [1000, 1001, 1011, 3000, 4321, 4999];

/** What the page runs in the browser: it cannot use anything of this file. */
async function check(codes: readonly number[]): Promise<unknown> {
  const open = (path: string) => new WebSocket(`wss://${location.host}${path}`);
  const closeOf = (code: number): Promise<unknown> =>
    new Promise((resolve) => {
      open(`/codes/ws?code=${code}&reason=why`).onclose = ({ code, reason, wasClean }) =>
        resolve({ code, reason, wasClean });
    });
  const sockets = Array.from({ length: 100 }, () => open("/page/echo"));
  const echoOf = (socket: WebSocket, nth: number): Promise<boolean> =>
    new Promise((resolve) => {
      socket.onopen = () => socket.send(`message ${nth}`);
      socket.onmessage = ({ data }) => resolve(data === `message ${nth}`);
      socket.onclose = () => resolve(false);
    });
  const frames = Array.from({ length: 4 }, () => {
    const frame = document.createElement("iframe");
    frame.src = "/dashboard/";
    document.body.append(frame);
    return frame;
  });
  const shows = (frame: HTMLIFrameElement, ask: (of: Document) => boolean): Promise<void> =>
    new Promise((resolve) => {
      const looking = setInterval(() => {
        if (frame.contentDocument === null || !ask(frame.contentDocument)) return;
        clearInterval(looking);
        resolve();
      }, 20);
    });
  const echoes = (await Promise.all(sockets.map(echoOf))).filter(Boolean).length;
  const closes = await Promise.all(codes.map(closeOf));
  await Promise.all(
    frames.map((frame) => shows(frame, (page) => page.querySelector("#status[data-state=good]") !== null)),
  );
  const update = await fetch("/dashboard/api?id=8&value=301");
  await Promise.all(
    frames.map((frame) => shows(frame, (page) => page.querySelectorAll("#bars .value")[7]?.textContent === "301")),
  );
  return {
    echoes,
    closes,
    update: await update.json(),
    open: sockets.filter(({ readyState }) => readyState === 1).length,
  };
}

/** The page, its echo, and where it says what it has seen. */
function servePage(onReport: (report: unknown) => void): Bun.Server<undefined> {
  const run = `(${check})(${JSON.stringify(codes)}).catch(String)`;
  const script = `${run}.then((report) => fetch("/page/report", { method: "POST", body: JSON.stringify(report) }))`;
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request, server) {
      if (server.upgrade(request)) return undefined;
      if (request.method === "POST") onReport(await request.json());
      const page = `<!doctype html><title>page</title><body><script type="module">${script}</script>`;
      return new Response(page, { headers: { "Content-Type": "text/html" } });
    },
    websocket: {
      message: (socket, message) => {
        socket.send(message);
      },
    },
  });
}

describe.skipIf(!hasFirefox())("pages over https and wss, in Firefox ESR", () => {
  let examples: readonly RunningExample[];
  let report = Promise.withResolvers<unknown>();
  let page: Bun.Server<undefined>;
  beforeAll(() => {
    const where = { host: "127.0.0.1", port: 0 };
    examples = [serveDashboard(where), serveCloseCodes(where)];
    page = servePage((seen) => report.resolve(seen));
  });
  afterAll(() => {
    for (const example of examples ?? []) example.stop();
    page?.stop(true);
  });

  function open(http2: object): GatewayFixture {
    const names = ["dashboard", "codes", "page"];
    const ports = [...examples.map(({ port }) => port), page.port];
    const filters = [{ rewrite: { prefix: "/" } }];
    return GatewayFixture.open({
      isSecure: true,
      listener: { http2 },
      upstreams: Object.fromEntries(names.map((name, at) => [name, { endpoints: [`127.0.0.1:${ports[at]}`] }])),
      routes: Object.fromEntries(names.map((name) => [name, { match: { path: `/${name}` }, filters, to: name }])),
    });
  }

  test.each([
    { says: "HTTP/2 with WebSockets on its streams", http2: {}, isShared: true },
    { says: "HTTP/2 without WebSockets", http2: { webSockets: false }, isShared: false },
    { says: "HTTP/1.1 alone", http2: { enabled: false }, isShared: false },
  ])(
    "AC-4.1, AC-17.4: over $says the dashboard, a hundred sockets and close codes work",
    async ({ http2, isShared }) => {
      report = Promise.withResolvers();
      await using fixture = open(http2);
      await using _ = TestFirefox.open(`https://localhost:${fixture.port}/page/`);
      expect(await report.promise).toEqual({
        echoes: 100,
        open: 100,
        closes: codes.map((code) => ({ code, reason: "why", wasClean: true })),
        update: { id: 8, value: 301, browsers: 4 },
      });
      // What is closed is gone at once, and holds no stream until the gateway gives up.
      await until(() => fixture.gateway.status().sessions === 104, 2000);
      const { connections } = fixture.gateway.status();
      if (isShared) expect(connections).toBeLessThan(4);
      else expect(connections).toBeGreaterThan(104);
    },
    PATIENCE_MS,
  );
});
