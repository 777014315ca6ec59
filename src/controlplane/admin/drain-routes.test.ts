import { beforeEach, expect, test } from "bun:test";
import { FakeView, sampleConfiguration, sampleSession } from "../../../test/support/fake-view.ts";
import { snapshotOf } from "../../../test/support/gateway-fixture.ts";
import { adminApp } from "./app.ts";

const { revision: _, ...model } = snapshotOf({
  to: [{ port: 81 }, { port: 82 }],
  routes: { chat: { match: { path: "/chat" } }, feed: { match: { path: "/feed" } } },
});

let view: FakeView;
beforeEach(() => {
  view = new FakeView();
  view.configuration = {
    model,
    settings: { ...sampleConfiguration.settings, drain: { windowMs: 30_000, graceMs: 0, code: 1012, reason: "" } },
  };
  view.endpoints.update(model.upstreams);
  view.sessions = [
    sampleSession({ id: "1", endpoint: "127.0.0.1:81" }),
    sampleSession({ id: "2", route: "feed", endpoint: "127.0.0.1:82" }),
    sampleSession({ id: "3", route: "feed", endpoint: "127.0.0.1:82" }),
  ];
});

async function ask(method: string, query: string, body?: string): Promise<{ status: number; body: unknown }> {
  const init = body === undefined ? { method } : { method, body };
  const response = await adminApp(view)(new Request(`http://127.0.0.1:9901/api/drain${query}`, init));
  return { status: response.status, body: await response.json() };
}

test("a route is drained as the configuration says, or as the request does, until that is taken back", async () => {
  const begun = await ask("POST", "?route=feed");
  expect(begun).toMatchObject({
    status: 200,
    body: { target: { route: "feed" }, windowMs: 30_000, code: 1012, reason: "", sessions: 2 },
  });
  expect(view.drains.orders).toMatchObject([{ scope: { route: "feed" }, plan: { windowMs: 30_000, code: 1012 } }]);
  const anew = await ask("POST", "?route=feed&window=2m&code=4000&reason=later");
  expect(anew.body).toMatchObject({ windowMs: 120_000, code: 4000, reason: "later" });
  expect(view.drains.orders.length).toBe(1);
  view.sessions.pop();
  expect(await ask("GET", "")).toMatchObject({ body: { items: [{ target: { route: "feed" }, sessions: 1 }] } });
  expect(await ask("DELETE", "?route=feed")).toMatchObject({ status: 200, body: { sessions: 1 } });
  expect([view.drains.orders, (await ask("GET", "")).body]).toEqual([[], { items: [] }]);
  expect(await ask("DELETE", "?route=feed")).toMatchObject({ status: 404, body: { error: { code: "no_drain" } } });
});

test("without a name everything is drained, and the gateway is not ready", async () => {
  const ready = async (): Promise<unknown> => {
    const response = await adminApp(view)(new Request("http://127.0.0.1:9901/readyz"));
    return [response.status, await response.json()];
  };
  expect(await ask("POST", "")).toMatchObject({ status: 200, body: { target: {}, sessions: 3 } });
  expect(await ready()).toEqual([503, { status: "not ready", reason: "the gateway drains, as it was asked to" }]);
  await ask("DELETE", "");
  expect(await ready()).toEqual([200, { status: "ready" }]);
});

test("an upstream is drained by its endpoints, and so is one of them, with a window of their own", async () => {
  const draining = (): unknown[] =>
    view.endpoints.entries().flatMap(({ verdict }) => (verdict.isDraining ? [[verdict.address, verdict.drain]] : []));
  const terms = (windowMs: number) => ({ windowMs, code: 1012, reason: "" });
  expect(await ask("POST", "?upstream=app&window=5s")).toMatchObject({ body: { target: { upstream: "app" } } });
  expect(draining()).toEqual([
    ["127.0.0.1:81", terms(5000)],
    ["127.0.0.1:82", terms(5000)],
  ]);
  await ask("DELETE", "?upstream=app");
  expect(draining()).toEqual([]);
  expect(await ask("POST", "?endpoint=127.0.0.1:82")).toMatchObject({ body: { sessions: 2 } });
  expect(draining()).toEqual([["127.0.0.1:82", terms(30_000)]]);
  expect(view.drains.orders).toEqual([]);
  // Taken back one by one, it is no drain any more.
  view.endpoints.drain("app", "127.0.0.1:82", "undo");
  expect((await ask("GET", "")).body).toEqual({ items: [] });
});

test("an endpoint that was drained alone is a drain as well, and can be taken back like one", async () => {
  view.endpoints.drain("app", "127.0.0.1:82", "begin");
  const target = { upstream: "app", endpoint: "127.0.0.1:82" };
  expect((await ask("GET", "")).body).toEqual({ items: [{ target, sessions: 2 }] });
  const query = "?upstream=app&endpoint=127.0.0.1:82";
  expect(await ask("DELETE", query)).toEqual({ status: 200, body: { target, sessions: 2 } });
  expect(view.endpoints.find("app", "127.0.0.1:82")?.verdict.isDraining).toBe(false);
  expect((await ask("DELETE", query)).status).toBe(404);
});

test("an endpoint that an upstream gets while it drains is drained too", async () => {
  await ask("POST", "?upstream=app&window=5s");
  const [app] = model.upstreams;
  if (app === undefined) throw new Error("there is no upstream");
  view.endpoints.update([{ ...app, endpoints: [...app.endpoints, { host: "127.0.0.1", port: 83, weight: 100 }] }]);
  view.endpoints.drain("app", "127.0.0.1:81", "undo");
  view.drains.tidy();
  const draining = view.endpoints.entries().flatMap(({ verdict }) => (verdict.isDraining ? [verdict.address] : []));
  // Whoever takes one back means it.
  expect(draining).toEqual(["127.0.0.1:82", "127.0.0.1:83"]);
});

test("what is not there, or cannot be said together, is refused, and nothing is drained", async () => {
  const refusals = [
    ["?route=nope", 404, "no_target"],
    ["?listener=nope", 404, "no_target"],
    ["?upstream=nope", 404, "no_target"],
    ["?upstream=app&endpoint=127.0.0.1:99", 404, "no_target"],
    ["?route=feed&upstream=app", 400, "bad_request"],
    ["?rout=feed", 400, "bad_request"],
    ["?route=feed&window=soon", 400, "bad_request"],
    ["?route=feed&code=1006", 400, "bad_request"],
    [`?route=feed&reason=${"x".repeat(124)}`, 400, "bad_request"],
  ] as const;
  for (const [query, status, code] of refusals) {
    expect([query, await ask("POST", query)]).toMatchObject([query, { status, body: { error: { code } } }]);
  }
  const named = JSON.stringify({ route: "feed" });
  expect(await ask("POST", "", named)).toMatchObject({ status: 400, body: { error: { code: "bad_request" } } });
  expect(view.drains.all).toEqual([]);
});

test("a drain ends with what it names", async () => {
  await ask("POST", "?route=feed");
  await ask("POST", "?listener=web");
  const routes = model.routes.filter(({ name }) => name !== "feed");
  view.configuration = { ...view.configuration, model: { ...model, routes } };
  view.drains.tidy();
  expect(view.drains.orders).toMatchObject([{ scope: { listener: "web" } }]);
});
