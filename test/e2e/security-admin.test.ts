import { expect, test } from "bun:test";
import { handshake } from "../support/handshake.ts";
import { RawClient } from "../support/raw-client.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

const token = "0123456789abcdef-token";

function yaml(app: WsApp, admin: string): string {
  return `
admin: ${admin}
log: { format: json }
drain: { window: 0s, grace: 1s }
listeners: { web: { address: "127.0.0.1:0" } }
upstreams: { app: { endpoints: [ "127.0.0.1:${app.port}" ] } }
routes: { all: { to: app } }
`;
}

/** Writes a request to the admin listener as it is, and returns the status and all that came. */
async function ask(gateway: RunningGateway, line: string, headers: readonly string[] = []) {
  const port = Number(new URL(gateway.ready.admin).port);
  await using client = await RawClient.open(port);
  const host = headers.some((header) => header.startsWith("Host:")) ? [] : [`Host: 127.0.0.1:${port}`];
  client.write(`${[`${line} HTTP/1.1`, ...host, "Connection: close", ...headers].join("\r\n")}\r\n\r\n`);
  const text = await client.untilEnd();
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), text };
}

const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "__defineGetter__"];

test("S24: names of object properties are no sessions, routes or filters, in a gateway with open sessions", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, `{ address: "127.0.0.1:0" }`));
  const peer = await WsPeer.open(gateway.ready.listeners[0]?.port ?? 0);
  await until(async () => (await gateway.admin("/api/sessions")).body.total === 1);
  for (const name of names) {
    for (const method of ["GET", "DELETE"]) {
      expect([name, (await ask(gateway, `${method} /api/sessions/${name}`)).status]).toEqual([name, 404]);
    }
    expect([name, (await ask(gateway, `GET /api/${name}`)).status]).toEqual([name, 404]);
    for (const filter of ["route", "upstream", "endpoint", "client", "host", "id"]) {
      const { body } = await gateway.admin(`/api/sessions?${filter}=${name}`);
      expect([filter, name, body.total]).toEqual([filter, name, 0]);
      expect((await gateway.admin(`/api/sessions?${filter}=${name}`, "DELETE")).body).toEqual({ closed: 0 });
    }
    expect((await gateway.admin(`/api/sessions?${name}=x`)).status).toBe(400);
  }
  expect((await gateway.admin("/api/sessions")).body.total).toBe(1);
  expect(peer.end).toBeUndefined();
});

test("S24: the reason of a Close is the text that was asked for, and nothing of the process's memory", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, `{ address: "127.0.0.1:0" }`));
  for (const reason of ["", "0", "64", "ü".repeat(61), "[object Object]", '{"length":100}']) {
    const peer = await WsPeer.open(gateway.ready.listeners[0]?.port ?? 0);
    const path = `/api/sessions?route=all&code=4000&reason=${encodeURIComponent(reason)}`;
    await until(async () => (await gateway.admin(path, "DELETE")).body.closed === 1);
    expect(await peer.untilEnd()).toEqual({ code: 4000, reason });
  }
});

test("S26: an admin listener that others can reach does not start without a token", async () => {
  await using app = await WsApp.open(echo);
  for (const address of ["0.0.0.0:0", ":0", "[::]:0"]) {
    await using gateway = new RunningGateway(yaml(app, `{ address: "${address}" }`));
    expect([address, await gateway.exited]).toEqual([address, 1]);
    await until(() => /admin\.address: .*there is no token; add token/.test(gateway.said));
    expect(gateway.event("ready")).toBeUndefined();
  }
});

test("S26: with a token nothing but the probes answers without it, and the token is shown nowhere", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, `{ address: "0.0.0.0:0", token: "${token}" }`));
  const paths = ["/metrics", "/openapi.json", "/api/sessions", "/api/config", "/api/routes", "/api/upstreams"];
  paths.push("/api/issues", "/api/listeners", "/api/workers", "/", "/api", "/nothing", "/healthz/../api/config");
  paths.push("//api/config", "/api/config?x=/healthz", "/api/config;/healthz", "/%68ealthz/../api/config");
  for (const path of paths) {
    for (const wrong of [[], [`Authorization: Bearer ${token.slice(0, -1)}`], [`Cookie: token=${token}`]]) {
      expect([path, (await ask(gateway, `GET ${path}`, wrong)).status]).toEqual([path, 401]);
    }
  }
  expect((await ask(gateway, "DELETE /api/sessions?route=all")).status).toBe(401);
  for (const path of ["/healthz", "/readyz"]) expect((await ask(gateway, `GET ${path}`)).status).toBe(200);
  const carried = [`Authorization: Bearer ${token}`];
  for (const path of ["/api/config", "/openapi.json", "/metrics", "/api/issues"]) {
    const { status, text } = await ask(gateway, `GET ${path}`, carried);
    expect([path, status, text.includes(token)]).toEqual([path, 200, false]);
  }
  expect(JSON.stringify(gateway.lines) + gateway.said).not.toContain(token);
});

test("S26: a page of another origin can neither read nor change anything, nor open a WebSocket", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, `{ address: "127.0.0.1:0" }`));
  const peer = await WsPeer.open(gateway.ready.listeners[0]?.port ?? 0);
  const close = "DELETE /api/sessions?route=all";
  for (const origin of ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"]) {
    const sent = [`Origin: ${origin}`];
    expect([origin, (await ask(gateway, close, sent)).status]).toEqual([origin, 403]);
    // What a page may not read is not offered to it either.
    const { text } = await ask(gateway, "GET /api/sessions", sent);
    expect(text.toLowerCase()).not.toContain("access-control-allow");
    const preflight = await ask(gateway, "OPTIONS /api/sessions", [...sent, "Access-Control-Request-Method: DELETE"]);
    expect(preflight.text.toLowerCase()).not.toContain("access-control-allow");
  }
  expect((await ask(gateway, "GET /api/sessions", ["Host: evil.example"])).status).toBe(403);
  expect((await ask(gateway, close, ["Sec-Fetch-Site: cross-site"])).status).toBe(403);
  for (const origin of [undefined, "https://evil.example", gateway.ready.admin]) {
    const headers = { Host: new URL(gateway.ready.admin).host, Origin: origin };
    await using client = await RawClient.open(Number(new URL(gateway.ready.admin).port));
    client.write(handshake({ target: "/api/sessions", headers }));
    expect((await client.response()).status).toBe(400);
  }
  peer.send("still here");
  peer.keeps = true;
  await until(() => peer.messages.length === 1);
});
