import { expect, test } from "bun:test";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { header } from "../support/http-message.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

const line = "PROXY TCP4 198.51.100.7 10.0.0.1 40000 80\r\n";
const binary = Buffer.from("0d0a0d0a000d0a515549540a2111000cc63364070a0000019c400050", "hex").toString("latin1");
const here = { isSecure: false, isDirect: true, listener: { proxyProtocol: ["127.0.0.1"] } };

const cases = [line, binary].flatMap((start) =>
  [request, handshake].map((make) => ({ version: start === line ? 1 : 2, kind: make.name, start, bytes: make() })),
);

test.each(cases)(
  "a $kind behind a header of version $version comes from whom the header names",
  async ({ start, bytes }) => {
    await using backend = ScriptedBackend.open(friendly);
    await using fixture = GatewayFixture.open({ ...here, to: [backend] });
    const client = await fixture.connect();
    client.write(start + bytes);
    await client.response();
    const [arrived] = backend.requests;
    if (arrived === undefined) throw new Error("nothing arrived");
    expect(header(arrived, "x-forwarded-for")).toBe("198.51.100.7");
    expect(header(arrived, "forwarded")).toContain("for=198.51.100.7");
    await until(() => fixture.records.length > 0);
    expect(fixture.records[0]).toMatchObject({ client: "198.51.100.7:40000" });
  },
);

test("a header may come byte by byte, and the request behind it", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ ...here, to: [backend] });
  const client = await fixture.connect();
  for (const char of line + request()) {
    client.write(char);
    await Bun.sleep(0);
  }
  expect((await client.response()).status).toBe(200);
  client.write(request());
  expect((await client.response()).status).toBe(200);
});

test.each([request(), handshake(), "PROXY TCP4 1.2.3.4\r\n", "PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n", ""])(
  "a proxy that begins with %j is hung up on",
  async (bytes) => {
    await using backend = ScriptedBackend.open(friendly);
    const listener = { ...here.listener, timeouts: { head: "150ms" } };
    await using fixture = GatewayFixture.open({ ...here, listener, to: [backend] });
    const client = await fixture.ask(bytes);
    expect(client.text).toBe("");
    const refused = fixture.gateway.metrics().find(({ name }) => name === "causeway_connections_refused_total");
    expect(refused?.values).toEqual([{ labels: { limit: "proxy_protocol" }, value: 1 }]);
    await until(() => fixture.gateway.status().connections === 0);
    expect(backend.connections).toHaveLength(0);
  },
);

test("from any other address a header is no HTTP, and a request needs none", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ ...here, listener: { proxyProtocol: ["192.0.2.0/24"] }, to: [backend] });
  expect((await fixture.ask(line + request())).text).toStartWith("HTTP/1.1 400 ");
  const client = await fixture.connect();
  client.write(request());
  expect((await client.response()).status).toBe(200);
});

test("what a load balancer says for itself is from itself", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ ...here, to: [backend] });
  const client = await fixture.connect();
  client.write(`PROXY UNKNOWN\r\n${request()}`);
  expect((await client.response()).status).toBe(200);
  const [arrived] = backend.requests;
  expect(arrived && header(arrived, "x-forwarded-for")).toBe("127.0.0.1");
});
