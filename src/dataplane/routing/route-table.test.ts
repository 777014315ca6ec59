import { describe, expect, test } from "bun:test";
import { type Asked, compile, exact, headOf, prefix, regex, settingsOf } from "../../../test/support/route-settings.ts";
import type { RouteMatch } from "../../core/snapshot.ts";

type Case = {
  readonly says: string;
  readonly routes: Readonly<Record<string, Partial<RouteMatch>>>;
  /** What is asked, and the route that answers. */
  readonly finds: readonly (readonly [asked: Asked, route: string | undefined])[];
};

const cases: readonly Case[] = [
  {
    says: "the host decides first: exact, longer wildcard, any",
    routes: {
      any: { path: exact("/a") },
      wide: { hosts: ["*.example"], path: exact("/a") },
      narrow: { hosts: ["*.b.example"] },
      exact: { hosts: ["a.b.example"] },
    },
    finds: [
      [{ host: "a.b.example", path: "/a" }, "exact"],
      [{ host: "x.b.example", path: "/a" }, "narrow"],
      [{ host: "y.x.b.example", path: "/a" }, "narrow"],
      [{ host: "b.example", path: "/a" }, "wide"],
      [{ host: "example", path: "/a" }, "any"],
      [{ host: "a.example.evil", path: "/a" }, "any"],
      [{ host: "xb.example", path: "/a" }, "wide"],
      [{ host: ".example", path: "/a" }, "any"],
    ],
  },
  {
    says: "the path decides next: exact, longer prefix, regex, any",
    routes: {
      any: {},
      regex: { path: regex("/(x|y)/.*") },
      root: { hosts: ["prefixed"], path: prefix("/") },
      short: { path: prefix("/chat") },
      long: { path: prefix("/chat/rooms") },
      exact: { path: exact("/chat/rooms") },
    },
    finds: [
      [{ path: "/chat/rooms" }, "exact"],
      [{ path: "/chat/rooms/" }, "long"],
      [{ path: "/chat/rooms/1" }, "long"],
      [{ path: "/chat/roomsy" }, "short"],
      [{ path: "/chat" }, "short"],
      [{ path: "/chat/" }, "short"],
      [{ path: "/chat//x" }, "short"],
      [{ path: "/chats" }, "any"],
      [{ path: "/x/1" }, "regex"],
      [{ path: "/a/x/1" }, "any"],
      [{ path: "/" }, "any"],
      [{ host: "prefixed", path: "/anything" }, "root"],
    ],
  },
  {
    says: "a slash at the end of a prefix is ignored, one at the end of an exact path is not",
    routes: { prefix: { path: prefix("/chat/") }, exact: { path: exact("/page/") } },
    finds: [
      [{ path: "/chat" }, "prefix"],
      [{ path: "/chat/x" }, "prefix"],
      [{ path: "/page/" }, "exact"],
      [{ path: "/page" }, undefined],
    ],
  },
  {
    says: "configured paths are compared in their normal form",
    routes: { tilde: { path: prefix("/%7euser") }, slash: { path: exact("/a%2Fb") } },
    finds: [
      [{ path: "/~user/x" }, "tilde"],
      [{ path: "/a%2Fb" }, "slash"],
      [{ path: "/a/b" }, undefined],
    ],
  },
  {
    says: "more conditions win, then the name",
    routes: {
      b: {},
      a: {},
      one: { methods: ["GET"] },
      two: { methods: ["GET"], headers: [{ name: "x-tenant", test: { kind: "exact", value: "t" } }] },
    },
    finds: [
      [{ method: "POST" }, "a"],
      [{ method: "GET" }, "one"],
      [{ method: "GET", headers: [["X-Tenant", "t"]] }, "two"],
      [{ method: "GET", headers: [["X-Tenant", "T"]] }, "one"],
    ],
  },
  {
    says: "a route whose conditions fail makes way, also for a less specific path and host",
    routes: {
      exact: { hosts: ["a.example"], path: exact("/a/b"), methods: ["PUT"] },
      prefix: { hosts: ["a.example"], path: prefix("/a"), headers: [{ name: "x", test: { kind: "present" } }] },
      wildcard: { hosts: ["*.example"], query: [{ name: "v", test: { kind: "exact", value: "2" } }] },
      any: {},
    },
    finds: [
      [{ host: "a.example", path: "/a/b", method: "PUT" }, "exact"],
      [{ host: "a.example", path: "/a/b", headers: [["X", ""]] }, "prefix"],
      [{ host: "a.example", path: "/a/b", query: "v=2" }, "wildcard"],
      [{ host: "a.example", path: "/a/b" }, "any"],
    ],
  },
  {
    says: "among expressions more conditions win, then the name, wherever their literal beginnings lie",
    routes: {
      z: { path: regex("/api/v[0-9]+/.*") },
      b: { path: regex("/api/.*") },
      conditional: { path: regex(".*/x"), methods: ["GET"] },
      c: { path: regex("/[a-z]+/.*") },
    },
    finds: [
      [{ path: "/api/v1/y" }, "b"],
      [{ path: "/api/v1/x" }, "conditional"],
      [{ path: "/api/v1/x", method: "PUT" }, "b"],
      [{ path: "/other/1" }, "c"],
    ],
  },
  {
    says: "header and query conditions see every value, decoded",
    routes: {
      absent: { path: exact("/absent"), query: [{ name: "q", test: { kind: "absent" } }] },
      present: { path: exact("/present"), query: [{ name: "q", test: { kind: "present" } }] },
      exact: { path: exact("/exact"), query: [{ name: "q x", test: { kind: "exact", value: "a&b" } }] },
      regex: { path: exact("/regex"), headers: [{ name: "x-v", test: { kind: "regex", value: "[0-9]+" } }] },
    },
    finds: [
      [{ path: "/absent" }, "absent"],
      [{ path: "/absent", query: "p=q" }, "absent"],
      [{ path: "/absent", query: "q" }, undefined],
      [{ path: "/present", query: "q" }, "present"],
      [{ path: "/present", query: "a=1&q=" }, "present"],
      [{ path: "/exact", query: "q+x=a%26b" }, "exact"],
      [{ path: "/exact", query: "q%20x=1&q+x=a%26b" }, "exact"],
      [{ path: "/exact", query: "q+x=a" }, undefined],
      [{ path: "/exact", query: "q+x=a%26b%" }, undefined],
      [
        {
          path: "/regex",
          headers: [
            ["X-V", "a"],
            ["x-v", "12"],
          ],
        },
        "regex",
      ],
      [{ path: "/regex", headers: [["X-V", "12a"]] }, undefined],
    ],
  },
];

describe("RouteTable", () => {
  for (const { says, routes, finds } of cases) {
    for (const [asked, route] of finds) {
      test(`${says}: ${JSON.stringify(asked)} finds ${route ?? "nothing"}`, () => {
        const table = compile(Object.entries(routes).map(([name, match]) => settingsOf(name, match)));
        expect(table.match(headOf(asked), "request")).toBe(route);
        const method = asked.method ?? "GET";
        if (method === "GET") expect(table.match(headOf({ ...asked, method: "CONNECT" }), "handshake")).toBe(route);
      });
    }
  }

  test("a wrong expression is an error of compile", () => {
    expect(() => compile([settingsOf("a", { path: regex("(") })])).toThrow('"("');
  });
});
