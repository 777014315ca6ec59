import { describe, expect, test } from "bun:test";
import { filterTypes } from "../../src/dataplane/filters/catalogue.ts";
import { balanceRows } from "../support/parity-balance.ts";
import { errorBody, type ParityKind, type ParityRow, runParityRow } from "../support/parity-run.ts";

const cookieAt = (origin: string) => ({ headers: { Origin: origin } });
const ok = { status: 200 } as const;
const no = (status: number, code: string): ParityRow["gives"] => ({ status, line: undefined, body: errorBody(code) });
const match = (match: object, asked: ParityRow["asked"], isMatch: boolean): Omit<ParityRow, "covers" | "says"> => ({
  settings: { route: { match } },
  asked: asked ?? {},
  gives: isMatch ? ok : { ...no(404, "no_route"), record: expect.objectContaining({ error: "no_route" }) },
});
const filter = (...filters: readonly object[]): Pick<ParityRow, "settings"> => ({ settings: { route: { filters } } });
const trusted = { listener: { trustedProxies: ["127.0.0.0/8"] } };
const proxied = { headers: { "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https" } };

/** One row for each feature and outcome. A feature without a row, or a row that runs only one way, fails the last tests. */
const rows: readonly ParityRow[] = [
  { covers: ["match.host"], says: "a host", ...match({ host: "app.example" }, {}, true) },
  { covers: ["match.host"], says: "another host", ...match({ host: "other.example" }, {}, false) },
  {
    covers: ["match.host"],
    says: "a host with a star",
    ...match({ host: "*.app.example" }, { headers: { Host: "a.b.app.example:81" } }, true),
  },
  {
    covers: ["match.path.exact"],
    says: "an exact path",
    ...match({ path: { exact: "/a" } }, { target: "/%61?q" }, true),
  },
  {
    covers: ["match.path.exact"],
    says: "a longer path",
    ...match({ path: { exact: "/a" } }, { target: "/a/" }, false),
  },
  { covers: ["match.path.prefix"], says: "a prefix", ...match({ path: "/a" }, { target: "/a/b" }, true) },
  { covers: ["match.path.prefix"], says: "no prefix", ...match({ path: "/a" }, { target: "/ab" }, false) },
  { covers: ["match.path.regex"], says: "a regex", ...match({ path: { regex: "/[0-9]+" } }, { target: "/12" }, true) },
  {
    covers: ["match.path.regex"],
    says: "no regex",
    ...match({ path: { regex: "/[0-9]+" } }, { target: "/1x" }, false),
  },
  { covers: ["match.method"], says: "a method", ...match({ method: "GET" }, {}, true) },
  { covers: ["match.method"], says: "another method", ...match({ methods: ["POST", "PUT"] }, {}, false) },
  {
    covers: ["match.headers"],
    says: "a header",
    ...match({ headers: { "x-a": "1" } }, { headers: { "X-A": "1" } }, true),
  },
  { covers: ["match.headers"], says: "no header", ...match({ headers: { "x-a": { present: true } } }, {}, false) },
  {
    covers: ["match.query"],
    says: "a parameter",
    ...match({ query: { a: { regex: "[0-9]" } } }, { target: "/?a=1" }, true),
  },
  { covers: ["match.query"], says: "no parameter", ...match({ query: { a: "1" } }, { target: "/?a=2" }, false) },
  {
    covers: ["match.order"],
    says: "the more specific of two routes",
    settings: {
      routes: {
        wide: { match: { path: "/a" }, filters: [{ respond: { status: 404 } }] },
        narrow: { match: { path: "/a/b" } },
      },
    },
    asked: { target: "/a/b/c" },
    gives: { status: 200, record: expect.objectContaining({ route: "narrow", upstream: "app" }) },
  },
  {
    covers: ["rewrite"],
    says: "a rewrite of the prefix",
    settings: { route: { match: { path: "/chat" }, filters: [{ rewrite: { prefix: "/v2" } }] } },
    asked: { target: "/chat/a%2Fb?x=/chat" },
    gives: { status: 200, line: "GET /v2/a%2Fb?x=/chat HTTP/1.1" },
  },
  {
    covers: ["rewrite"],
    says: "a rewrite by expression",
    ...filter({ rewrite: { regex: "^/u/([0-9]+)$", to: "/user/$1" } }),
    asked: { target: "/u/7?x" },
    gives: { status: 200, line: "GET /user/7?x HTTP/1.1" },
  },
  {
    covers: ["headers"],
    says: "headers of the request",
    ...filter({ headers: { request: { set: { "x-set": "1" }, add: { "x-add": "2" }, remove: ["x-gone"] } } }),
    asked: { headers: { "X-Set": "0", "X-Add": "1", "X-Gone": "1", X_Set: "0" } },
    gives: {
      status: 200,
      upstream: expect.objectContaining({ "x-set": "1", "x-add": "1, 2" }),
    },
  },
  {
    covers: ["headers"],
    says: "headers of the answer",
    ...filter({ headers: { response: { set: { "x-up": "2" }, add: { "x-add": "1" }, remove: ["server"] } } }),
    gives: { status: 200, answer: { "x-up": "2", "x-add": "1" } },
  },
  {
    covers: ["headers"],
    says: "headers of an answer that the gateway makes because it fails",
    ...filter(
      { headers: { response: { set: { "strict-transport-security": "max-age=9" }, remove: ["cache-control"] } } },
      { ip: { deny: ["127.0.0.0/8"] } },
    ),
    gives: {
      status: 403,
      line: undefined,
      answer: { "strict-transport-security": "max-age=9", "content-type": "application/json" },
    },
  },
  {
    covers: ["redirect"],
    says: "a redirect",
    ...filter({ redirect: { status: 308, scheme: "https", host: "www.example" } }),
    asked: { target: "/a%2Fb?c" },
    gives: { status: 308, line: undefined, answer: { location: "https://www.example/a%2Fb?c" } },
  },
  {
    covers: ["respond"],
    says: "a fixed answer",
    ...filter({ respond: { status: 503, body: "later", headers: { "retry-after": "5" } } }),
    gives: {
      status: 503,
      line: undefined,
      body: "later",
      answer: { "retry-after": "5", "content-type": "text/plain; charset=utf-8" },
    },
  },
  {
    covers: ["origin"],
    says: "its own origin",
    settings: { route: { filters: [{ origin: {} }] }, isSecure: false },
    asked: cookieAt("http://app.example"),
    gives: ok,
  },
  {
    covers: ["origin"],
    says: "a listed origin",
    ...filter({ origin: { allow: ["https://*.friend.example"] } }),
    asked: cookieAt("https://a.friend.example"),
    gives: { status: 200, upstream: expect.objectContaining({ origin: "https://a.friend.example" }) },
  },
  {
    covers: ["origin"],
    says: "another origin",
    ...filter({ origin: {} }),
    asked: cookieAt("https://evil.example"),
    gives: no(403, "forbidden_origin"),
  },
  {
    covers: ["origin"],
    says: "another origin that is only reported",
    ...filter({ origin: { mode: "report" } }),
    asked: cookieAt("https://evil.example"),
    gives: { status: 200, record: expect.objectContaining({ report: "forbidden_origin" }) },
  },
  { covers: ["ip"], says: "an allowed address", ...filter({ ip: { allow: ["127.0.0.1"] } }), gives: ok },
  {
    covers: ["ip"],
    says: "an address that is not allowed",
    ...filter({ ip: { allow: ["10.0.0.0/8"] } }),
    gives: no(403, "forbidden_address"),
  },
  {
    covers: ["ip"],
    says: "a denied address",
    ...filter({ ip: { deny: ["127.0.0.0/8"] } }),
    gives: no(403, "forbidden_address"),
  },
  {
    covers: ["ip"],
    says: "a denied address behind a trusted proxy",
    settings: { ...trusted, route: { filters: [{ ip: { deny: ["203.0.113.0/24"] } }] } },
    asked: proxied,
    gives: no(403, "forbidden_address"),
  },
  {
    covers: ["ip"],
    says: "an address that an untrusted proxy claims",
    ...filter({ ip: { deny: ["203.0.113.0/24"] } }),
    asked: proxied,
    gives: { status: 200, upstream: expect.objectContaining({ "x-forwarded-for": "127.0.0.1" }) },
  },
  ...["perSecond", "perSecondPerAddress"].map(
    (name): ParityRow => ({
      covers: ["limit"],
      says: `one exchange too many by ${name}`,
      ...filter({ limit: { [name]: { rate: 0.001, burst: 1 } } }),
      times: 2,
      gives: { ...no(429, "too_many_requests"), answer: expect.objectContaining({ "retry-after": "1000" }) },
    }),
  ),
  {
    covers: ["forwarded"],
    says: "forwarded headers for a stranger",
    settings: { isSecure: false },
    asked: { ...proxied, target: "/x" },
    gives: {
      status: 200,
      upstream: expect.objectContaining({
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "app.example",
        "x-forwarded-port": "80",
        forwarded: 'for=127.0.0.1;host="app.example";proto=http',
      }),
    },
  },
  {
    covers: ["forwarded"],
    says: "forwarded headers for a trusted proxy",
    settings: trusted,
    asked: proxied,
    gives: {
      status: 200,
      upstream: expect.objectContaining({ "x-forwarded-for": "203.0.113.9, 127.0.0.1", "x-forwarded-proto": "https" }),
    },
  },
  ...balanceRows,
  {
    covers: ["retry"],
    says: "an endpoint that refuses, and another one",
    settings: { upstream: { balance: "round-robin", endpoints: ["127.0.0.1:{dead}", "127.0.0.1:{port}"] } },
    gives: { status: 200, backend: 0, record: expect.objectContaining({ tries: 2 }) },
  },
  {
    covers: ["retry"],
    says: "no endpoint that accepts",
    settings: { upstream: { endpoints: ["127.0.0.1:{dead}"] } },
    gives: { ...no(502, "upstream_refused"), record: expect.objectContaining({ tries: 1, error: "upstream_refused" }) },
  },
  {
    covers: ["retry"],
    says: "a route that tries no other endpoint",
    settings: {
      upstream: { balance: "round-robin", endpoints: ["127.0.0.1:{dead}", "127.0.0.1:{port}"] },
      route: { retry: "off" },
    },
    gives: { ...no(502, "upstream_refused"), record: expect.objectContaining({ tries: 1 }) },
  },
  {
    covers: ["retry"],
    says: "no endpoint that may be asked",
    settings: { route: { to: [{ upstream: "app", weight: 0 }] } },
    gives: no(503, "upstream_empty"),
  },
  {
    covers: ["timeouts"],
    says: "an upstream that never answers",
    settings: { route: { timeouts: { request: "100ms", handshake: "100ms" } } },
    answer: "silent",
    gives: { status: 504, body: errorBody("upstream_timeout") },
  },
  {
    covers: ["answers"],
    says: "a refusal of the upstream",
    answer:
      'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="a"\r\nSet-Cookie: a=1\r\nContent-Length: 2\r\n\r\nno',
    gives: { status: 401, body: "no", answer: { "www-authenticate": 'Basic realm="a"', "set-cookie": "a=1" } },
  },
  {
    covers: ["answers"],
    says: "an answer that is no HTTP",
    answer: "hello\r\n\r\n",
    gives: { status: 502, body: errorBody("upstream_invalid") },
  },
  {
    covers: ["errors"],
    says: "an error for a browser",
    ...filter({ ip: { deny: ["127.0.0.0/8"] } }),
    asked: { headers: { Accept: "text/html,application/xhtml+xml" } },
    gives: {
      status: 403,
      body: expect.stringMatching(/<h1>403 Forbidden<\/h1>.*forbidden_address · ID/),
      answer: expect.objectContaining({ "content-type": "text/html; charset=utf-8" }),
    },
  },
  {
    covers: ["redirectToHttps"],
    says: "a listener that sends everything to TLS",
    settings: { listener: { redirectToHttps: 8443 } },
    asked: { target: "/a/b?x=1" },
    gives: { status: 308, line: undefined, answer: { location: "https://app.example:8443/a/b?x=1" } },
  },
  {
    covers: ["redirectToHttps"],
    says: "a listener that sends everything to TLS, but what a trusted proxy has got over it",
    settings: { listener: { redirectToHttps: true, trustedProxies: ["127.0.0.1"] } },
    asked: { headers: { "X-Forwarded-Proto": "https" } },
    gives: { status: 200, backend: 0 },
  },
  {
    covers: ["log"],
    says: "the access log",
    settings: { route: { filters: [{ rewrite: { prefix: "/in" } }] } },
    asked: { target: "/out?a=b" },
    gives: {
      record: {
        host: "app.example",
        method: "GET",
        target: "/out?a=b",
        route: "all",
        upstream: "app",
        tries: 1,
        error: undefined,
        report: undefined,
      },
    },
  },
];

const otherFeatures = ["match.host", "match.path.exact", "match.path.prefix", "match.path.regex", "match.method"];
otherFeatures.push(
  "match.headers",
  "match.query",
  "match.order",
  "forwarded",
  "balance",
  "sticky",
  "split",
  "retry",
  "timeouts",
);
otherFeatures.push("answers", "errors", "log", "redirectToHttps");

const ran = new Map<ParityRow, Set<ParityKind>>();

async function run(row: ParityRow, kind: ParityKind) {
  const seen = await runParityRow(row, kind);
  ran.set(row, (ran.get(row) ?? new Set<ParityKind>()).add(kind));
  return seen;
}

describe("AC-5.1, S11: what a route does with a GET, it does with a handshake", () => {
  for (const row of rows) {
    test(`AC-5.1: ${row.says} (${row.covers.join(", ")})`, async () => {
      const get = await run(row, "GET");
      const upgrade = await run(row, "Upgrade");
      expect(upgrade).toEqual(get);
      expect(get.at(-1)).toMatchObject(row.gives);
    });
  }
});

test("AC-5.1: every filter and every feature has a row, and every row has run both ways", () => {
  const covered = new Set(rows.flatMap((row) => row.covers));
  expect([...filterTypes, ...otherFeatures].filter((name) => !covered.has(name))).toEqual([]);
  expect([...covered].filter((name) => ![...filterTypes, ...otherFeatures].includes(name))).toEqual([]);
  for (const row of rows) expect([row.says, [...(ran.get(row) ?? [])]]).toEqual([row.says, ["GET", "Upgrade"]]);
});

describe("AC-5.1: two checks are about sessions, and leave requests alone", () => {
  test("AC-14.3: the default check of Origin concerns handshakes with cookies", async () => {
    const row: ParityRow = {
      covers: [],
      says: "",
      asked: { headers: { Origin: "https://evil.example", Cookie: "a=b" } },
      gives: {},
    };
    expect((await runParityRow(row, "GET")).map(({ status }) => status)).toEqual([200]);
    expect((await runParityRow(row, "Upgrade")).map(({ status }) => status)).toEqual([403]);
  });

  test("a limit on open sessions concerns sessions", async () => {
    const row: ParityRow = { covers: [], says: "", ...filter({ limit: { sessions: 1 } }), times: 2, gives: {} };
    expect((await runParityRow(row, "GET")).map(({ status }) => status)).toEqual([200, 200]);
    expect((await runParityRow(row, "Upgrade")).map(({ status }) => status)).toEqual([200, 429]);
  });
});
