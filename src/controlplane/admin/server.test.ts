import { expect, test } from "bun:test";
import { connect } from "node:net";
import { isLoopbackAddress, isLoopbackAuthority } from "./loopback.ts";
import { AdminServer } from "./server.ts";

const answer = async (): Promise<Response> => Response.json({ passed: true });
const local = { host: "127.0.0.1", port: 0 } as const;

/** Sends bytes as they are, because `fetch` chooses some headers itself, and returns the status. */
async function send(server: AdminServer, lines: readonly string[]): Promise<number> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.write(`${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`);
  let text = "";
  for await (const chunk of socket) text += chunk;
  return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
}

const asks = (host: string, ...more: string[]): string[] => ["GET /api/config HTTP/1.1", `Host: ${host}`, ...more];
const deletes = (...more: string[]): string[] => [
  "DELETE /api/sessions?route=a HTTP/1.1",
  "Host: localhost:9901",
  ...more,
];

test("without a token a request must come under a loopback name, so that DNS rebinding gets nothing", async () => {
  await using server = AdminServer.open(answer, local);
  for (const host of ["localhost:9901", "127.0.0.1", "[::1]:9901", "LOCALHOST", "a.localhost:1", "127.9.9.9:80"]) {
    expect([host, await send(server, asks(host))]).toEqual([host, 200]);
  }
  for (const host of [
    "evil.example",
    "evil.example:9901",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "10.0.0.1",
  ]) {
    expect([host, await send(server, asks(host))]).toEqual([host, 403]);
  }
});

test("probes may ask under any name", async () => {
  await using server = AdminServer.open(answer, { ...local, token: "t" });
  for (const path of ["/healthz", "/readyz"]) {
    expect(await send(server, [`GET ${path} HTTP/1.1`, "Host: pod.example"])).toBe(200);
  }
});

test("with a token every other request must carry it", async () => {
  await using server = AdminServer.open(answer, { ...local, token: "s3cret" });
  expect(await send(server, asks("any.example", "Authorization: Bearer s3cret"))).toBe(200);
  expect(await send(server, asks("any.example", "Authorization: bearer s3cret"))).toBe(200);
  for (const value of ["Bearer s3cre", "Bearer s3cret2", "Bearer", "Basic s3cret", "s3cret"]) {
    expect([value, await send(server, asks("localhost", `Authorization: ${value}`))]).toEqual([value, 401]);
  }
  expect(await send(server, asks("localhost"))).toBe(401);
});

test("a page of another origin can change nothing", async () => {
  await using server = AdminServer.open(answer, local);
  expect(await send(server, deletes())).toBe(200);
  expect(await send(server, deletes("Origin: http://localhost:9901"))).toBe(200);
  expect(await send(server, deletes("Origin: http://localhost:9901", "Sec-Fetch-Site: same-origin"))).toBe(200);
  for (const origin of [
    "https://evil.example",
    "http://localhost:3000",
    "http://localhost:9901.evil.example",
    "null",
  ]) {
    expect([origin, await send(server, deletes(`Origin: ${origin}`))]).toEqual([origin, 403]);
  }
  expect(await send(server, deletes("Sec-Fetch-Site: cross-site"))).toBe(403);
});

test("an upgrade is refused", async () => {
  await using server = AdminServer.open(answer, local);
  const key = ["Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];
  expect(await send(server, asks("localhost", ...key))).toBe(400);
});

test("an address that others can reach needs a token", () => {
  for (const host of ["0.0.0.0", "::", "192.0.2.1"]) {
    expect(() => AdminServer.open(answer, { host, port: 0 })).toThrow("admin.token");
  }
});

test("a new address is bound before the old one goes, and a taken one changes nothing", async () => {
  await using server = AdminServer.open(answer, local);
  await using other = AdminServer.open(answer, local);
  const before = server.url;
  expect(() => server.configure({ host: "127.0.0.1", port: Number(new URL(other.url).port) })).toThrow();
  expect(server.url).toBe(before);
  expect((await fetch(`${before}/healthz`)).status).toBe(200);
  server.configure({ host: "::1", port: 0 });
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  expect(fetch(`${before}/healthz`, { keepalive: false })).rejects.toThrow();
});

test("a new token holds at once on the same address", async () => {
  await using server = AdminServer.open(answer, local);
  server.configure({ ...local, token: "t" });
  expect(await send(server, asks("localhost"))).toBe(401);
});

test("loopback addresses and names are told from their look-alikes", () => {
  for (const address of ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"])
    expect(isLoopbackAddress(address)).toBe(true);
  for (const address of ["127.0.0.256", "128.0.0.1", "127.0.0", "::2", "::ffff:10.0.0.1", "127.0.0.1.x"]) {
    expect([address, isLoopbackAddress(address)]).toEqual([address, false]);
  }
  for (const authority of ["", "a@localhost", "localhost:x", "localhost:1:2", "[::2]", "xlocalhost"]) {
    expect([authority, isLoopbackAuthority(authority)]).toEqual([authority, false]);
  }
});
