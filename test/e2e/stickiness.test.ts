import { afterEach, describe, expect, test } from "bun:test";
import { type FixtureSettings, GatewayFixture, snapshotOf } from "../support/gateway-fixture.ts";
import { type HandshakeParts, handshake, request } from "../support/handshake.ts";
import { header } from "../support/http-message.ts";
import { ScriptedBackend } from "../support/scripted-backend.ts";

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** Applications that answer everything, and open every WebSocket; each says who it is. */
function openBackends(count: number): ScriptedBackend[] {
  return Array.from({ length: count }, (_, at) => {
    const backend = ScriptedBackend.open(async (connection) => {
      for (;;) {
        const asked = await connection.request();
        if (header(asked, "upgrade") !== undefined) connection.switch(asked, { lines: `X-Up: ${at}\r\n` });
        else connection.write(`HTTP/1.1 200 OK\r\nX-Up: ${at}\r\nContent-Length: 0\r\n\r\n`);
      }
    });
    opened.push(backend);
    return backend;
  });
}

function openGateway(settings: FixtureSettings): GatewayFixture {
  const gateway = GatewayFixture.open(settings);
  opened.push(gateway);
  return gateway;
}

const kinds = { GET: request, Upgrade: handshake } as const;
type Kind = keyof typeof kinds;
const both: readonly Kind[] = ["GET", "Upgrade"];

/** Who answered, and the cookie that came with it. */
async function ask(gateway: GatewayFixture, kind: Kind, parts: HandshakeParts = {}) {
  const client = await gateway.connect();
  opened.push(client);
  client.write(kinds[kind](parts));
  const response = await client.response();
  expect(response.status).toBe(kind === "GET" ? 200 : 101);
  const setCookie = header(response, "set-cookie");
  return { up: header(response, "x-up"), setCookie, cookie: setCookie?.split(";")[0] };
}

function metric(gateway: GatewayFixture, name: string, result?: string): number {
  const family = gateway.gateway.metrics().find((one) => one.name === name);
  const values = family?.values.filter(({ labels }) => result === undefined || labels.result === result) ?? [];
  return values.reduce((sum, { value }) => sum + value, 0);
}

const byCookie = { balance: "round-robin", sticky: { cookie: { name: "app" } } };

describe("AC-10.1: stickiness by cookie", () => {
  test("a cookie comes with HTTP answers and with the 101, and leads both kinds back", async () => {
    const to = openBackends(5);
    const gateway = openGateway({ to, upstream: byCookie });
    for (const first of both) {
      const { up, cookie = "", setCookie = "" } = await ask(gateway, first);
      expect(setCookie).toMatch(/^app=[\w-]+\.[\w-]+; Path=\/; HttpOnly; SameSite=Lax(; Secure)?$/);
      for (const kind of both) {
        for (let turn = 0; turn < 3; turn++) {
          const again = await ask(gateway, kind, { headers: { Cookie: `a=b; ${cookie}` } });
          expect(again).toEqual({ up, setCookie: undefined, cookie: undefined });
        }
      }
    }
    expect(metric(gateway, "causeway_sticky_total", "new")).toBe(2);
    expect(metric(gateway, "causeway_sticky_total", "kept")).toBe(12);
  });

  test("the cookie says nothing of the address, and holds in another gateway with the same key", async () => {
    const to = openBackends(3);
    const { up, cookie = "" } = await ask(openGateway({ to, upstream: byCookie }), "GET");
    const port = to[Number(up)]?.port ?? 0;
    const [, value = ""] = cookie.split("=");
    const decoded = value.split(".").map((part) => Buffer.from(part, "base64url").toString("latin1"));
    for (const text of [value, ...decoded]) expect(text).not.toMatch(new RegExp(`127\\.0\\.0\\.1|${port}`));
    const after = openGateway({ to, upstream: byCookie });
    for (let turn = 0; turn < 3; turn++)
      expect(await ask(after, "Upgrade", { headers: { Cookie: cookie } })).toMatchObject({ up, setCookie: undefined });
  });

  test("one that was tampered with, or signed with another key, is ignored, replaced and counted", async () => {
    const to = openBackends(3);
    const gateway = openGateway({ to, upstream: byCookie });
    const { cookie = "" } = await ask(gateway, "GET");
    const flipped = cookie.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    const bad = [flipped, "app=", "app=x", "app=.", `app=${"z".repeat(3000)}`, "app=a.b.c", cookie.split(".")[0] ?? ""];
    for (const [at, one] of bad.entries()) {
      const { setCookie } = await ask(gateway, both[at % 2] ?? "GET", { headers: { Cookie: one } });
      expect(setCookie).toStartWith("app=");
    }
    expect(metric(gateway, "causeway_sticky_total", "tampered")).toBe(bad.length);
    gateway.gateway.apply({
      ...snapshotOf({ to, upstream: byCookie }),
      revision: 2,
      cookieKey: "quite another secret",
    });
    expect((await ask(gateway, "GET", { headers: { Cookie: cookie } })).setCookie).toStartWith("app=");
    expect(metric(gateway, "causeway_sticky_total", "tampered")).toBe(bad.length + 1);
  });

  test("AC-10.3: who belonged to an endpoint that is gone moves, and the others stay", async () => {
    const to = openBackends(4);
    const gateway = openGateway({ to, upstream: byCookie });
    const clients = [];
    for (let count = 0; count < 8; count++) clients.push(await ask(gateway, "GET"));
    expect(new Set(clients.map(({ up }) => up)).size).toBe(4);
    gateway.gateway.apply({ ...snapshotOf({ to: to.slice(1), upstream: byCookie }), revision: 2 });
    for (const { up, cookie = "" } of clients) {
      const again = await ask(gateway, "Upgrade", { headers: { Cookie: cookie } });
      if (up !== "0") expect(again).toMatchObject({ up, setCookie: undefined });
      else expect(again.setCookie).toStartWith("app=");
    }
    expect(metric(gateway, "causeway_sticky_total", "moved")).toBe(2);
  });

  test("an endpoint that refuses passes its client on, with a cookie for the other one", async () => {
    const [first, second] = openBackends(2);
    if (first === undefined || second === undefined) throw new Error("unreachable");
    const gateway = openGateway({ to: [first, second], upstream: byCookie });
    const clients = [await ask(gateway, "GET"), await ask(gateway, "GET")];
    const cookie = clients.find(({ up }) => up === "0")?.cookie ?? "";
    gateway.gateway.apply({
      ...snapshotOf({ to: [first, second], upstream: { ...byCookie, pool: { idle: 0 } } }),
      revision: 2,
    });
    await first[Symbol.asyncDispose]();
    const moved = await ask(gateway, "Upgrade", { headers: { Cookie: cookie } });
    expect(moved.up).toBe("1");
    expect(moved.setCookie).toStartWith("app=");
  });

  test("ttl, path and sameSite are as configured", async () => {
    const cookie = { ttl: "90m", path: "/chat", sameSite: "none" };
    const gateway = openGateway({ to: openBackends(1), upstream: { sticky: { cookie } } });
    const { setCookie } = await ask(gateway, "Upgrade");
    expect(setCookie).toMatch(
      /^causeway-[0-9a-f]{8}=[^;]+; Path=\/chat; Max-Age=5400; HttpOnly; SameSite=None; Secure$/,
    );
  });

  test("a client of one upstream of several stays with it, also when the weights turn", async () => {
    const [one, other] = openBackends(2);
    const target = (backend: ScriptedBackend | undefined) => ({
      endpoints: [`127.0.0.1:${backend?.port}`],
      sticky: { cookie: {} },
    });
    const weighted = (old: number, canary: number): FixtureSettings => ({
      upstreams: { old: target(one), canary: target(other) },
      route: {
        to: [
          { upstream: "old", weight: old },
          { upstream: "canary", weight: canary },
        ],
      },
    });
    const gateway = openGateway(weighted(1, 1));
    const clients = [await ask(gateway, "GET"), await ask(gateway, "GET")];
    expect(new Set(clients.map(({ up }) => up)).size).toBe(2);
    gateway.gateway.apply({ ...snapshotOf(weighted(1, 99)), revision: 2 });
    for (const { up, cookie = "" } of clients)
      for (let turn = 0; turn < 5; turn++)
        expect((await ask(gateway, "Upgrade", { headers: { Cookie: cookie } })).up).toBe(up);
    gateway.gateway.apply({ ...snapshotOf(weighted(0, 99)), revision: 3 });
    for (const { cookie = "" } of clients)
      expect((await ask(gateway, "Upgrade", { headers: { Cookie: cookie } })).up).toBe("1");
  });
});

describe("AC-10.1: stickiness by what the client brings", () => {
  const ways: readonly { name: string; upstream: object; parts: (user: number) => HandshakeParts }[] = [
    {
      name: "a header",
      upstream: { sticky: { header: "X-User" } },
      parts: (user) => ({ headers: { "x-user": `u${user}` } }),
    },
    {
      name: "sid",
      upstream: { sticky: { query: "sid" } },
      parts: (user) => ({ target: `/socket.io/?EIO=4&sid=u${user}` }),
    },
    { name: "id", upstream: { sticky: { query: "id" } }, parts: (user) => ({ target: `/hub?id=u${user}` }) },
    {
      name: "a cookie of the application",
      upstream: { balance: { hash: { cookie: "session" } } },
      parts: (user) => ({ headers: { Cookie: `x=y; session=u${user}` } }),
    },
    {
      name: "the path, by maglev",
      upstream: { balance: { hash: "path", table: "maglev" } },
      parts: (user) => ({ target: `/room/${user}?a=${Math.random()}` }),
    },
    {
      name: "the client's address",
      upstream: { sticky: "client-address" },
      parts: (user) => ({ headers: { "X-Forwarded-For": `10.0.0.${user}` } }),
    },
  ];

  test.each(ways)(
    "by $name: the same one gets the same endpoint, and all endpoints are used",
    async ({ upstream, parts }) => {
      const to = openBackends(3);
      const gateway = openGateway({ to, upstream, listener: { trustedProxies: ["127.0.0.1"] } });
      const seen = new Set<string | undefined>();
      for (let user = 0; user < 60; user++) {
        const { up, setCookie } = await ask(gateway, "GET", parts(user));
        expect(setCookie).toBeUndefined();
        seen.add(up);
        expect((await ask(gateway, "Upgrade", parts(user))).up).toBe(up);
      }
      expect(seen.size).toBe(3);
      expect(metric(gateway, "causeway_keyless_total")).toBe(0);
    },
  );

  test("a request that lacks the key is balanced without it, and counted", async () => {
    const gateway = openGateway({ to: openBackends(2), upstream: { balance: { hash: { header: "x-user" } } } });
    const ups = [];
    for (let turn = 0; turn < 4; turn++) ups.push((await ask(gateway, "GET")).up);
    expect(new Set(ups).size).toBe(2);
    expect(metric(gateway, "causeway_keyless_total")).toBe(4);
  });

  test("a route that is split by a key gives the same one the same upstream, and moves only what a weight moves", async () => {
    const [one, other] = openBackends(2);
    const weighted = (old: number, canary: number): FixtureSettings => ({
      upstreams: {
        old: { endpoints: [`127.0.0.1:${one?.port}`] },
        canary: { endpoints: [`127.0.0.1:${other?.port}`] },
      },
      route: {
        to: [
          { upstream: "old", weight: old },
          { upstream: "canary", weight: canary },
        ],
        split: { header: "x-user" },
      },
    });
    const gateway = openGateway(weighted(80, 20));
    const upOf = async (user: number, kind: Kind) =>
      (await ask(gateway, kind, { headers: { "x-user": `u${user}` } })).up;
    const before: (string | undefined)[] = [];
    for (let user = 0; user < 60; user++) {
      const up = await upOf(user, "GET");
      expect(await upOf(user, "Upgrade")).toBe(up);
      before.push(up);
    }
    const canaries = before.filter((up) => up === "1").length;
    expect(canaries).toBeGreaterThan(4);
    expect(canaries).toBeLessThan(24);
    gateway.gateway.apply({ ...snapshotOf(weighted(50, 50)), revision: 2 });
    for (let user = 0; user < 60; user++) if (before[user] === "1") expect(await upOf(user, "GET")).toBe("1");
  });
});
