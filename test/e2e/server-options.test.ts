import { expect, test } from "bun:test";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { request } from "../support/handshake.ts";
import { errorCode, header } from "../support/http-message.ts";
import { getFields, Http2Client } from "../support/http2-client.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";

goWithoutBridge();

// RFC 9110 §9.3.7, RFC 9112 §3.2.4.

const asks = request({ method: "OPTIONS", target: "*" });

test.each([asks, request({ method: "OPTIONS", target: "http://app.example" })])(
  "%j is answered by the gateway, with nothing, and the connection goes on",
  async (bytes) => {
    await using backend = ScriptedBackend.open(friendly);
    await using fixture = GatewayFixture.open({ to: [backend], listener: { redirectToHttps: 8443 }, isSecure: false });
    const client = await fixture.connect();
    for (const _ of [1, 2]) {
      const answer = await client.write(bytes).response("OPTIONS");
      expect(answer.status).toBe(204);
      expect(header(answer, "date")).toBeDefined();
    }
    expect(await fixture.record(2)).toMatchObject({ method: "OPTIONS", status: 204 });
    expect(backend.requests).toHaveLength(0);
  },
);

test("the same over HTTP/2", async () => {
  await using fixture = GatewayFixture.open({ isSecure: false, listener: { h2c: true } });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1, { ...getFields, ":method": "OPTIONS", ":path": "*" }).ask(3, { ...getFields, ":path": "*" });
  await until(() => client.heard(1).isEnded && client.heard(3).isEnded);
  expect(client.heard(1).fields[":status"]).toBe("204");
  expect(client.heard(3).fields[":status"]).toBe("400");
});

test("with another method * is no target, and OPTIONS of a path is the application's", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend] });
  const client = await fixture.connect();
  expect((await client.write(request({ method: "OPTIONS" })).response("OPTIONS")).status).toBe(200);
  const absolute = request({ method: "OPTIONS", target: "http://app.example/" });
  expect((await client.write(absolute).response("OPTIONS")).status).toBe(200);
  expect(backend.requests.map(({ line }) => line)).toEqual(["OPTIONS / HTTP/1.1", "OPTIONS / HTTP/1.1"]);
  const refused = await client.write(request({ target: "*" })).response();
  expect([refused.status, errorCode(refused)]).toEqual([400, "bad_target"]);
});

test("OPTIONS says how many hops it may go: one less for each, and the last one answers", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend] });
  const client = await fixture.connect();
  const status = async (method: string, hops: string) => {
    client.write(request({ method, headers: { "Max-Forwards": hops } }));
    return (await client.response(method)).status;
  };
  expect(await status("OPTIONS", "0")).toBe(204);
  expect(backend.requests).toHaveLength(0);
  for (const hops of ["10", "1", "many"]) expect(await status("OPTIONS", hops)).toBe(200);
  expect(await status("GET", "0")).toBe(200);
  expect(backend.requests.map((asked) => header(asked, "max-forwards"))).toEqual(["9", "0", "many", "0"]);
});
