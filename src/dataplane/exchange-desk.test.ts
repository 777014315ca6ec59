import { afterEach, expect, setSystemTime, test } from "bun:test";
import { GatewayFixture } from "../../test/support/gateway-fixture.ts";
import { until } from "../../test/support/until.ts";
import { echo, WsApp, WsPeer } from "../../test/support/ws.ts";

afterEach(() => {
  setSystemTime();
});

test("how long a session was open does not depend on whether somebody has set the clock meanwhile", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = GatewayFixture.open({ to: [{ port: app.port }] });
  const peer = await WsPeer.open(gateway.port);
  setSystemTime(new Date(Date.now() - 3_600_000));
  peer.socket.close(1000);
  await peer.untilEnd();
  const find = () => gateway.records.find((record) => record.kind === "session-close");
  await until(() => find() !== undefined);
  expect(find()?.durationMs).toBeWithin(0, 60_000);
});
