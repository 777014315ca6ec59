import { expect, test } from "bun:test";
import { FakeView } from "../../../test/support/fake-view.ts";
import { until } from "../../../test/support/until.ts";
import type { EndpointStatus } from "../../core/figures.ts";
import { adminApp } from "./app.ts";

const probe = { probe: { type: "tcp" }, intervalMs: 1000, timeoutMs: 100, healthy: 1, unhealthy: 1 } as const;
const endpoint: EndpointStatus = {
  address: "[::1]:80",
  weight: 100,
  state: "healthy",
  since: 1,
  why: "",
  sessions: 0,
  requests: 0,
  idleConnections: 0,
  sharedConnections: 0,
  handshakes: 2,
  answers: 1,
  answerMs: 10,
  connectFailures: 0,
  handshakeFailures: 0,
  answerFailures: 0,
  sessionFailures: 0,
  ejections: 0,
};

function open(): {
  view: FakeView;
  ask: (target: string, method?: string) => Promise<{ status: number; body: unknown }>;
} {
  const view = new FakeView();
  view.upstreams = [{ name: "a/b", balance: "least-sessions", isPanicking: false, endpoints: [endpoint] }];
  view.endpoints.update([
    {
      name: "a/b",
      endpoints: [{ host: "::1", port: 80, weight: 100 }],
      balance: "least-sessions",
      pool: { idle: 0, idleMs: 0 },
      health: { check: probe, panic: 10, onUnhealthy: "keep" },
    },
  ]);
  const app = adminApp(view);
  const ask = async (target: string, method = "GET") => {
    const response = await app(new Request(`http://127.0.0.1:9901${target}`, { method }));
    return { status: response.status, body: await response.json() };
  };
  return { view, ask };
}

const target = "/api/upstreams/a%2Fb/endpoints/%5B%3A%3A1%5D%3A80/drain";

test("upstreams are shown with what their checks have found", async () => {
  const { view, ask } = open();
  using _endpoints = view.endpoints;
  await until(() => view.endpoints.find("a/b", "[::1]:80")?.checks?.good === 1);
  const { body } = await ask("/api/upstreams");
  const { answerMs: _, ...shown } = endpoint;
  const checks = { good: 1, failed: 0, lastAt: expect.any(Number), lastMs: 1 };
  expect(body).toEqual({ items: [{ ...view.upstreams[0], endpoints: [{ ...shown, latencyMs: 3.3, checks }] }] });
});

test("an endpoint is drained by its encoded name and address, and that can be taken back", async () => {
  const { view, ask } = open();
  using _endpoints = view.endpoints;
  const said = { upstream: "a/b", address: "[::1]:80" };
  expect(await ask(target, "POST")).toEqual({ status: 200, body: { ...said, isDraining: true } });
  expect(await ask(target, "POST")).toEqual({ status: 200, body: { ...said, isDraining: true } });
  expect(view.endpoints.find("a/b", "[::1]:80")?.verdict.isDraining).toBe(true);
  expect(await ask(target, "DELETE")).toEqual({ status: 200, body: { ...said, isDraining: false } });
  expect(view.endpoints.find("a/b", "[::1]:80")?.verdict.isDraining).toBe(false);
});

test("what does not exist cannot be drained", async () => {
  const { view, ask } = open();
  using _endpoints = view.endpoints;
  for (const wrong of ["/api/upstreams/b/endpoints/1:1/drain", "/api/upstreams/a%2Fb/endpoints/__proto__/drain"]) {
    expect(await ask(wrong, "POST")).toMatchObject({ status: 404, body: { error: { code: "no_endpoint" } } });
    expect(await ask(wrong, "DELETE")).toMatchObject({ status: 404, body: { error: { code: "no_endpoint" } } });
  }
  expect(await ask(target)).toMatchObject({ status: 405, body: { error: { code: "method_not_allowed" } } });
});
