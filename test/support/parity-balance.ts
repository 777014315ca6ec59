import { expect } from "bun:test";
import type { ParityRow } from "./parity-run.ts";

/** What choosing an endpoint comes to, for requests and handshakes alike. */
export const balanceRows: readonly ParityRow[] = [
  ...[0, 1, 2].map(
    (last): ParityRow => ({
      covers: ["balance"],
      says: `exchange ${last + 4} of a round over three endpoints`,
      settings: { upstream: { balance: "round-robin" } },
      backends: 3,
      times: last + 4,
      gives: { status: 200, backend: last },
    }),
  ),
  ...[0, 1, 2].map(
    (last): ParityRow => ({
      covers: ["balance"],
      says: `exchange ${last + 1} of those that lack the key of a hash`,
      settings: { upstream: { balance: { hash: { header: "x-user" } } } },
      backends: 3,
      times: last + 1,
      gives: { status: 200, backend: last },
    }),
  ),
  {
    covers: ["sticky"],
    says: "a client without a cookie gets one",
    settings: { upstream: { sticky: { cookie: { name: "app", ttl: "1h" } } } },
    gives: {
      status: 200,
      answer: expect.objectContaining({
        "set-cookie": expect.stringMatching(/^app=MARK; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax(; Secure)?$/),
      }),
    },
  },
  {
    covers: ["sticky"],
    says: "a cookie that was not made here is passed on, and replaced for the client",
    settings: { upstream: { sticky: { cookie: { name: "app" } } } },
    asked: { headers: { Cookie: "app=x.y" } },
    gives: {
      status: 200,
      upstream: expect.objectContaining({ cookie: "app=x.y" }),
      answer: expect.objectContaining({ "set-cookie": expect.stringContaining("app=MARK; Path=/; HttpOnly") }),
    },
  },
  ...["anna", "bert", "carl", "dora", "emil"].map(
    (user): ParityRow => ({
      covers: ["split"],
      says: `the upstream that the header of ${user} leads to`,
      settings: {
        upstreams: { one: { endpoints: ["127.0.0.1:{port}"] }, two: { endpoints: ["127.0.0.1:{port}"] } },
        route: { to: ["one", "two"], split: { header: "x-user" } },
      },
      asked: { headers: { "X-User": user } },
      gives: { status: 200 },
    }),
  ),
  ...["anna", "bert", "carl"].map(
    (user): ParityRow => ({
      covers: ["split"],
      says: `the upstream that a claim in the token of ${user} leads to`,
      settings: {
        upstreams: { one: { endpoints: ["127.0.0.1:{port}"] }, two: { endpoints: ["127.0.0.1:{port}"] } },
        route: { to: ["one", "two"], split: { claim: "sub" } },
      },
      asked: { headers: { Authorization: `Bearer e30.${btoa(JSON.stringify({ sub: user }))}.` } },
      gives: { status: 200 },
    }),
  ),
];
