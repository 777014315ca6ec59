import { beforeEach, expect, test } from "bun:test";
import { FakeView, sampleConfiguration, sampleSession } from "../../../test/support/fake-view.ts";
import { AskError } from "../workers/worker-link.ts";
import { adminApp } from "./app.ts";

let view: FakeView;
let app: (request: Request) => Promise<Response>;

beforeEach(() => {
  view = new FakeView();
  view.sessions = [sampleSession({ id: "a" }), sampleSession({ id: "b", route: "feed", client: "10.0.0.8:1" })];
  app = adminApp(view);
});

type Page = {
  readonly items: readonly Record<string, unknown>[];
  readonly error: { readonly code: string };
  readonly model: { readonly listeners: readonly { readonly name: string }[] };
  readonly paths: Record<string, object>;
};

async function ask(target: string, method = "GET"): Promise<{ status: number; body: Page; headers: Headers }> {
  const response = await app(new Request(`http://127.0.0.1:9901${target}`, { method }));
  return { status: response.status, body: JSON.parse((await response.text()) || "{}"), headers: response.headers };
}

test("sessions are listed with their total and filtered by the worker", async () => {
  expect(await ask("/api/sessions")).toMatchObject({
    status: 200,
    body: { total: 2, items: [{ id: "a" }, { id: "b" }] },
  });
  const target = "/api/sessions?route=feed&client=10.0.0.8:1&state=open&limit=5";
  expect((await ask(target)).body).toMatchObject({ total: 1, items: [{ id: "b" }] });
  const filter = { route: "feed", client: "10.0.0.8:1", state: "open" };
  expect(view.asked.at(-1)).toEqual({ about: "sessions", filter: filter as object, limit: 5 });
});

test("one session is found by its id, and names of object properties are no ids", async () => {
  expect<unknown>((await ask("/api/sessions/a")).body).toEqual({ ...sampleSession({ id: "a" }) });
  for (const id of ["c", "__proto__", "constructor", "toString", "%00", "..%2f..", "hasOwnProperty"]) {
    expect(await ask(`/api/sessions/${id}`)).toMatchObject({ status: 404, body: { error: { code: "no_session" } } });
    expect((await ask(`/api/sessions/${id}`, "DELETE")).status).toBe(404);
  }
  for (const path of ["/api/__proto__", "/api/constructor", "/__proto__", "/api", "/"]) {
    expect(await ask(path)).toMatchObject({ status: 404, body: { error: { code: "not_found" } } });
  }
});

test("a session is closed with the code and reason of the request, 1000 without one", async () => {
  expect<unknown>((await ask("/api/sessions/a?code=4321&reason=t%C3%A4st", "DELETE")).body).toEqual({ closed: 1 });
  expect(view.asked.at(-1)).toEqual({ about: "close", filter: { id: "a" }, code: 4321, reason: "täst" });
  await ask("/api/sessions/b", "DELETE");
  expect(view.asked.at(-1)).toMatchObject({ code: 1000, reason: "" });
});

for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, "x", "", "1000.5", "1e3x"]) {
  test(`code ${code} is refused because it may not be sent`, async () => {
    expect(await ask(`/api/sessions/a?code=${code}`, "DELETE")).toMatchObject({
      status: 400,
      body: { error: { code: "bad_request" } },
    });
    expect(view.asked).toEqual([]);
  });
}

for (const code of [1000, 1003, 1007, 1014, 3000, 4999]) {
  test(`code ${code} is taken`, async () => {
    expect((await ask(`/api/sessions/a?code=${code}`, "DELETE")).status).toBe(200);
  });
}

test("a reason may have 123 bytes of UTF-8 and no more", async () => {
  expect((await ask(`/api/sessions/a?reason=${encodeURIComponent("é".repeat(61))}x`, "DELETE")).status).toBe(200);
  const tooLong = await ask(`/api/sessions/b?reason=${encodeURIComponent("é".repeat(62))}`, "DELETE");
  expect(tooLong).toMatchObject({ status: 400, body: { error: { message: expect.stringContaining("reason: ") } } });
});

test("closing many needs a condition, and a misspelt one closes nothing", async () => {
  expect(await ask("/api/sessions?code=1001", "DELETE")).toMatchObject({
    status: 400,
    body: { error: { code: "filter_required" } },
  });
  expect((await ask("/api/sessions?route=chat&rute=x", "DELETE")).status).toBe(400);
  expect((await ask("/api/sessions?route=", "DELETE")).status).toBe(400);
  expect((await ask("/api/sessions?route=chat&route=feed", "DELETE")).status).toBe(400);
  expect(view.sessions.length).toBe(2);
  expect<unknown>((await ask("/api/sessions?route=chat&code=1001", "DELETE")).body).toEqual({ closed: 1 });
});

test("the configuration is shown without the token", async () => {
  const admin = { host: "127.0.0.1", port: 0, token: "s3cret" };
  view.configuration = { ...sampleConfiguration, settings: { ...sampleConfiguration.settings, admin } };
  const { body } = await ask("/api/config");
  expect(JSON.stringify(body)).not.toContain("s3cret");
  expect(body).toMatchObject({ revision: 3, settings: { admin: { hasToken: true } }, sessionsByRevision: { "3": 2 } });
  expect(body.model.listeners[0]?.name).toBe("web");
});

test("every list has items", async () => {
  for (const name of ["listeners", "routes", "upstreams", "workers", "issues"]) {
    const { status, body } = await ask(`/api/${name}`);
    expect([name, status, Array.isArray(body.items)]).toEqual([name, 200, true]);
  }
  expect((await ask("/api/listeners")).body.items[0]).toMatchObject({ name: "web", port: 4567, connections: 5 });
  expect((await ask("/api/workers")).body.items[0]).toMatchObject({
    id: "1",
    pid: 42,
    state: "serving",
    sessions: 2,
  });
});

test("issues come with their line of text", async () => {
  view.issues = [{ severity: "error", at: { source: "a.yaml", line: 3, column: 5, path: "routes.x" }, says: "no" }];
  expect((await ask("/api/issues")).body.items[0]).toMatchObject({
    severity: "error",
    text: "a.yaml:3:5: routes.x: no",
  });
});

test("while the worker hangs, what needs it answers 504 and the rest still answers", async () => {
  view.hang();
  for (const path of ["/api/sessions", "/api/sessions/a", "/api/upstreams"]) {
    expect(await ask(path)).toMatchObject({ status: 504, body: { error: { code: "worker_timeout" } } });
  }
  for (const path of ["/healthz", "/api/config", "/api/routes", "/api/listeners", "/api/issues", "/openapi.json"]) {
    expect([path, (await ask(path)).status]).toEqual([path, 200]);
  }
  expect((await ask("/api/workers")).body.items[0]).toMatchObject({ state: "unresponsive", sessions: null });
  expect(await ask("/readyz")).toMatchObject({
    status: 503,
    body: { reason: expect.stringContaining("did not answer") },
  });
});

test("without a worker the answer is 503 and the gateway is not ready", async () => {
  view.failure = new AskError("unavailable", "the worker is not running");
  view.state = "starting";
  const { status, body, headers } = await ask("/api/sessions");
  expect([status, body.error.code, headers.get("retry-after")]).toEqual([503, "worker_unavailable", "1"]);
  expect((await ask("/readyz")).status).toBe(503);
});

test("workers that end again and again are named, and fail readiness only when no worker serves", async () => {
  view.failures = 3;
  const reason = "worker 1 has ended 3 times in a row soon after its start";
  expect(await ask("/readyz")).toMatchObject({ status: 200, body: { status: "ready", reason } });
  view.state = "starting";
  expect(await ask("/readyz")).toMatchObject({ status: 503, body: { status: "not ready", reason } });
});

test("a draining gateway is alive but not ready", async () => {
  expect((await ask("/readyz")).status).toBe(200);
  view.state = "draining";
  expect((await ask("/readyz")).status).toBe(503);
  expect((await ask("/healthz")).status).toBe(200);
});

test("methods that a page does not have get 405 with the ones it has", async () => {
  for (const [method, path, allow] of [
    ["POST", "/api/sessions", "GET, HEAD, DELETE"],
    ["DELETE", "/api/config", "GET, HEAD, POST"],
    ["OPTIONS", "/api/sessions/a", "GET, HEAD, DELETE"],
    ["PUT", "/metrics", "GET, HEAD"],
  ] as const) {
    const { status, body, headers } = await ask(path, method);
    expect([status, body.error.code, headers.get("allow")]).toEqual([405, "method_not_allowed", allow]);
  }
  expect((await app(new Request("http://127.0.0.1/healthz", { method: "HEAD" }))).status).toBe(200);
});

test("the OpenAPI document names every page", async () => {
  const { body } = await ask("/openapi.json");
  expect((await ask("/api/openapi.json")).body).toEqual(body);
  expect(Object.keys(body.paths).sort()).toEqual([
    "/api/config",
    "/api/drain",
    "/api/issues",
    "/api/listeners",
    "/api/routes",
    "/api/sessions",
    "/api/sessions/{id}",
    "/api/upgrade",
    "/api/upstreams",
    "/api/upstreams/{name}/endpoints/{address}/drain",
    "/api/workers",
    "/healthz",
    "/metrics",
    "/readyz",
  ]);
  expect(Object.keys(body.paths["/api/sessions"] ?? {})).toEqual(["get", "delete"]);
});

test("the metrics page has the content type that Prometheus wants", async () => {
  const response = await app(new Request("http://127.0.0.1/metrics"));
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(await response.text()).toBe("x 1\n");
});
