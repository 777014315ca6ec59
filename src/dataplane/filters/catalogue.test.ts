import { describe, expect, test } from "bun:test";
import { type ExchangeParts, makeExchange, makeReply, makeRoute } from "../../../test/support/exchange.ts";
import { GatewayError } from "../../core/errors.ts";
import type { Exchange, Filter } from "../../core/exchange.ts";
import type { FilterSettings } from "../../core/filter-settings.ts";
import type { PathMatch } from "../../core/snapshot.ts";
import { compose, createFilters, createRouteFilters } from "./catalogue.ts";
import { RouteLimits } from "./route-limits.ts";

type Case = {
  readonly says: string;
  readonly filters: readonly FilterSettings[];
  readonly asked?: ExchangeParts;
  readonly path?: PathMatch;
  /** What the upstream would get, or the answer of the gateway; only what is named is compared. */
  readonly gets: Partial<Outcome>;
};

type Outcome = {
  readonly target: string;
  readonly upstream: Readonly<Record<string, string>>;
  readonly status: number;
  readonly error: string;
  readonly answer: Readonly<Record<string, string>>;
  readonly body: string;
  readonly report: string;
};

const noChanges = { set: [], add: [], remove: [] };
const chat: PathMatch = { kind: "prefix", value: "/chat" };

/** Every case runs as a request and as a WebSocket handshake and has to end the same way. */
const cases: readonly Case[] = [
  ...rewrites("/", chat, [
    ["/chat/x?y=%2F", "/x?y=%2F"],
    ["/chat", "/"],
    ["/chat/", "/"],
    ["/chat?y", "/?y"],
    ["/%63hat/x", "/x"],
    ["/ch%61t", "/"],
    ["/chat//x", "/x"],
    ["/chat//evil.example/x", "/evil.example/x"],
    ["/chat/%2Fx//y", "/%2Fx//y"],
    ["/chat/%61;v=1", "/%61;v=1"],
  ]),
  ...rewrites("/api", chat, [
    ["/chat/x", "/api/x"],
    ["/chat", "/api"],
    ["/chat/", "/api/"],
  ]),
  ...rewrites("/api/", { kind: "prefix", value: "/chat/" }, [
    ["/chat/x", "/api/x"],
    ["/chat", "/api/"],
  ]),
  ...rewrites("/api", { kind: "any" }, [
    ["/chat/x", "/api/chat/x"],
    ["/", "/api/"],
  ]),
  ...rewrites("/new", { kind: "exact", value: "/old" }, [["/old?a", "/new?a"]]),
  {
    says: "a second rewrite sees what the first one made",
    filters: [
      { type: "rewrite", prefix: "/v1" },
      { type: "rewrite", regex: "^/v1/(.*)", replacement: "/v2/$1" },
    ],
    path: chat,
    asked: { target: "/chat/a?q" },
    gets: { target: "/v2/a?q" },
  },
  {
    says: "an expression works on the raw path",
    filters: [{ type: "rewrite", regex: "/a%2Fb/(?P<rest>.*)", replacement: "/${rest}" }],
    asked: { target: "/a%2Fb/%61?x=/a%2Fb/" },
    gets: { target: "/%61?x=/a%2Fb/" },
  },
  {
    says: "an expression that does not match leaves the path",
    filters: [{ type: "rewrite", regex: "/nothing", replacement: "/x" }],
    asked: { target: "/a//b" },
    gets: { target: "/a//b" },
  },
  {
    says: "a rewrite may bring a query along",
    filters: [{ type: "rewrite", regex: "^/u/(.*)$", replacement: "/user?id=$1" }],
    asked: { target: "/u/7?x=1" },
    gets: { target: "/user?id=7&x=1" },
  },
  {
    says: "a rewrite cannot lead outside",
    filters: [{ type: "rewrite", regex: "^/p/(.*)$", replacement: "/$1" }],
    asked: { target: "/p//evil.example" },
    gets: { status: 400, error: "bad_target" },
  },
  {
    says: "a rewrite cannot make dot segments",
    filters: [{ type: "rewrite", regex: "x", replacement: "." }],
    asked: { target: "/a/xx/b" },
    gets: { status: 400, error: "bad_target" },
  },
  {
    says: "request and response headers are set, added and removed, look-alikes included",
    filters: [
      {
        type: "headers",
        request: {
          set: [{ name: "X-User", value: "gateway" }],
          add: [{ name: "X-Tag", value: "b" }],
          remove: ["x-secret"],
        },
        response: { set: [{ name: "X-Set", value: "1" }], add: [{ name: "X-Up", value: "2" }], remove: ["Server"] },
      },
    ],
    asked: {
      headers: [
        ["x_user", "evil"],
        ["X.User", "evil"],
        ["X-Tag", "a"],
        ["X_Secret", "s"],
      ],
    },
    gets: {
      upstream: { Host: "app.example", "X-Tag": "a,b", "X-User": "gateway" },
      answer: { "X-Up": "1,2", "X-Set": "1" },
    },
  },
  {
    says: "headers of the response are changed on answers of the gateway too",
    filters: [
      {
        type: "headers",
        request: noChanges,
        response: { ...noChanges, set: [{ name: "X-Frame-Options", value: "DENY" }] },
      },
      { type: "respond", status: 503, body: "later", headers: [{ name: "Retry-After", value: "5" }] },
    ],
    gets: {
      status: 503,
      body: "later",
      answer: { "Retry-After": "5", "Content-Type": "text/plain; charset=utf-8", "X-Frame-Options": "DENY" },
    },
  },
  {
    says: "a response without a body has no content type",
    filters: [{ type: "respond", status: 204, body: "", headers: [] }],
    gets: { status: 204, body: "", answer: {} },
  },
  ...redirects([
    [{ status: 301, scheme: "https" }, {}, "https://app.example/a%2Fb?q=1"],
    [{ status: 302, scheme: "https" }, { authority: "app.example:8080" }, "https://app.example/a%2Fb?q=1"],
    [{ status: 302, path: "/new" }, { authority: "app.example:8080" }, "http://app.example:8080/new?q=1"],
    [{ status: 302, path: "/new" }, { authority: "app.example:443", isSecure: true }, "https://app.example/new?q=1"],
    [{ status: 307, host: "b.example" }, { authority: "app.example:8080" }, "http://b.example/a%2Fb?q=1"],
    [{ status: 308, host: "b.example:443", scheme: "https" }, {}, "https://b.example/a%2Fb?q=1"],
    [{ status: 308, host: "[2001:db8::1]:81" }, {}, "http://[2001:db8::1]:81/a%2Fb?q=1"],
    [
      { status: 302, path: "/" },
      { isFromTrustedProxy: true, headers: [["X-Forwarded-Proto", "https"]] },
      "https://app.example/?q=1",
    ],
    [
      { status: 302, path: "/" },
      {
        headers: [
          ["X-Forwarded-Proto", "https"],
          ["X-Forwarded-Host", "evil"],
        ],
      },
      "http://app.example/?q=1",
    ],
  ]),
  ...addresses([
    [{ allow: ["10.0.0.0/8"], deny: [] }, { client: "10.1.1.1" }, true],
    [{ allow: ["10.0.0.0/8"], deny: [] }, { client: "11.1.1.1" }, false],
    [{ allow: ["10.0.0.0/8"], deny: ["10.1.0.0/16"] }, { client: "10.1.1.1" }, false],
    [{ allow: [], deny: ["10.1.0.0/16"] }, { client: "::ffff:10.1.1.1" }, false],
    [{ allow: [], deny: ["10.1.0.0/16"] }, { client: "2001:db8::1" }, true],
    [
      { allow: ["10.0.0.0/8"], deny: [], trustedProxies: ["192.0.2.0/24"] },
      { headers: [["X-Forwarded-For", "6.6.6.6, 10.0.0.1"]] },
      true,
    ],
    [
      { allow: ["10.0.0.0/8"], deny: [], trustedProxies: ["192.0.3.0/24"] },
      { headers: [["X-Forwarded-For", "10.0.0.1"]] },
      false,
    ],
    [{ allow: ["10.0.0.0/8"], deny: [] }, { headers: [["X-Forwarded-For", "10.0.0.1"]] }, false],
  ]),
];

describe("filters", () => {
  for (const item of cases) {
    for (const kind of ["request", "handshake"] as const) {
      test(`${item.says} (${kind})`, async () => {
        expect(await run(item, kind)).toMatchObject(item.gets);
      });
    }
  }

  test("the first filter is the outermost", async () => {
    const order: string[] = [];
    const named =
      (name: string): Filter =>
      async (exchange, next) => {
        order.push(`${name} in`);
        const reply = await next(exchange);
        order.push(`${name} out`);
        return reply;
      };
    await compose([named("a"), named("b")], async () => makeReply("request"))(makeExchange());
    expect(order).toEqual(["a in", "b in", "b out", "a out"]);
  });

  test("settings that no check should have let through are refused when the filter is made", () => {
    const wrong: readonly FilterSettings[] = [
      { type: "rewrite", regex: "(", replacement: "" },
      { type: "rewrite", regex: "a", replacement: "$1" },
      { type: "headers", request: { ...noChanges, set: [{ name: "X", value: "a\r\nb" }] }, response: noChanges },
      { type: "headers", request: noChanges, response: { ...noChanges, remove: ["a b"] } },
      { type: "respond", status: 200, body: "", headers: [{ name: "X:", value: "a" }] },
      { type: "redirect", status: 302, host: "a/b" },
      { type: "redirect", status: 302, path: "//evil" },
      { type: "ip", allow: ["office"], deny: [] },
      { type: "origin", allow: ["example.com"], mode: "block" },
    ];
    for (const settings of wrong) expect(() => createFilters([settings], partsOf())).toThrow(Error);
  });

  test("a route without an origin filter gets the default check first", () => {
    const ip: FilterSettings = { type: "ip", allow: [], deny: [] };
    const origin: FilterSettings = { type: "origin", allow: ["*"], mode: "block" };
    expect(createRouteFilters(partsOf({ filters: [ip] }))).toHaveLength(2);
    expect(createRouteFilters(partsOf({ filters: [ip, origin] }))).toHaveLength(2);
  });

  test("every answer of respond has headers of its own", async () => {
    const filters = createFilters([{ type: "respond", status: 200, body: "", headers: [] }], partsOf());
    const way = compose(filters, async () => makeReply("request"));
    (await way(makeExchange())).headers.add("X-Once", "1");
    expect((await way(makeExchange())).headers.has("x-once")).toBe(false);
  });

  test("answers of filters are dated, unless the configuration gives a date", async () => {
    const date = async (settings: FilterSettings) => {
      const way = compose(createFilters([settings], partsOf()), async () => makeReply("request"));
      return (await way(makeExchange())).headers.get("date");
    };
    const given = "Sun, 06 Nov 1994 08:49:37 GMT";
    const headers = [{ name: "Date", value: given }];
    expect(await date({ type: "respond", status: 200, body: "", headers })).toBe(given);
    const now = Date.now();
    for (const settings of [
      { type: "respond", status: 200, body: "", headers: [] },
      { type: "redirect", status: 302, scheme: "https" },
    ] satisfies FilterSettings[]) {
      const made = Date.parse((await date(settings)) ?? "");
      expect(made).toBeGreaterThan(now - 2000);
      expect(made).toBeLessThanOrEqual(Date.now());
    }
  });
});

async function run(item: Case, kind: Exchange["kind"]): Promise<Partial<Outcome>> {
  const route = makeRoute(item.path === undefined ? {} : { path: item.path }, { filters: item.filters });
  const exchange = makeExchange({ ...item.asked, kind, route });
  const way = compose(createFilters(item.filters, partsOf(route)), async () =>
    makeReply(kind, [
      ["Server", "x"],
      ["X-Up", "1"],
    ]),
  );
  try {
    const reply = await way(exchange);
    const answer = joined(reply.headers);
    const seen = {
      target: exchange.target,
      upstream: joined(exchange.headers),
      answer,
      report: exchange.notes.report ?? "",
    };
    if (reply.kind === "tunnel") return seen;
    const body = reply.body instanceof Uint8Array ? new TextDecoder().decode(reply.body) : "";
    return { ...seen, status: reply.status, body };
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown;
    return { status: thrown.status, error: thrown.code };
  }
}

function joined(headers: Iterable<[string, string]>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of headers) result[name] = name in result ? `${result[name]},${value}` : value;
  return result;
}

function partsOf(route: Partial<Exchange["route"]> = {}) {
  return { route: makeRoute({}, route), clock: () => 0, limits: new RouteLimits() };
}

function rewrites(prefix: string, path: PathMatch, pairs: readonly (readonly [string, string])[]): Case[] {
  return pairs.map(([target, expected]) => ({
    says: `a rewrite of ${"value" in path ? path.value : "any path"} to ${prefix} makes ${target} ${expected}`,
    filters: [{ type: "rewrite", prefix }],
    path,
    asked: { target },
    gets: { target: expected },
  }));
}

function redirects(
  list: readonly (readonly [Omit<Extract<FilterSettings, { type: "redirect" }>, "type">, ExchangeParts, string])[],
): Case[] {
  return list.map(([settings, asked, location]) => ({
    says: `a redirect with ${JSON.stringify(settings)} of ${JSON.stringify(asked)} leads to ${location}`,
    filters: [{ type: "redirect", ...settings }],
    asked: { target: "/a%2Fb?q=1", ...asked },
    gets: { status: settings.status, answer: { Location: location } },
  }));
}

function addresses(
  list: readonly (readonly [Omit<Extract<FilterSettings, { type: "ip" }>, "type">, ExchangeParts, boolean])[],
): Case[] {
  return list.map(([settings, asked, isAllowed]) => ({
    says: `ip with ${JSON.stringify(settings)} ${isAllowed ? "lets" : "does not let"} ${JSON.stringify(asked)} pass`,
    filters: [{ type: "ip", ...settings }],
    asked,
    gets: isAllowed ? { target: "/" } : { status: 403, error: "forbidden_address" },
  }));
}
