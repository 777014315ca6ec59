import { expect, test } from "bun:test";
import { Findings } from "../soak/load.ts";
import { RefusedUpgrades, refuse } from "../soak/refused-upgrades.ts";
import { holdings, leftOver, memoryBelow } from "../support/baseline.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake } from "../support/handshake.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { ScriptedBackend } from "../support/scripted-backend.ts";
import { siteYaml } from "../support/site-yaml.ts";
import { until } from "../support/until.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";

goWithoutBridge();

test("AC-6.2: thousands of upgrades that are answered with 200, 401, 404 and 500 leave no socket and no memory behind", async () => {
  const backend = refuse();
  await using gateway = await RunningGateway.open(siteYaml({ upstreams: { refused: [`127.0.0.1:${backend.port}`] } }), {
    keepsAccess: false,
  });
  const findings = new Findings();
  const load = new RefusedUpgrades({ port: gateway.ready.listeners[0]?.port ?? 0, findings, seed: 1 });
  const ask = async (count: number) => {
    const stop = new AbortController();
    const aim = load.done + count;
    const asked = load.run(stop.signal);
    await until(() => load.done >= aim || findings.count > 0, 30_000);
    stop.abort();
    await asked;
  };
  const quiet = async () => {
    await until(async () => (await holdings(gateway)).connections === 0, 8000);
    return holdings(gateway);
  };
  await ask(4000);
  const before = await quiet();
  await ask(6000);
  expect(leftOver(before, await quiet())).toEqual([]);
  expect(findings.texts).toEqual([]);
  await memoryBelow(gateway, before.memory * 1.05 + 4_000_000);
  backend.stop(true);
}, 60_000);

test("what a client sends behind a handshake that is refused is read and dropped, however long the answer takes", async () => {
  await using backend = ScriptedBackend.open(async (connection) => {
    await connection.request();
    connection.write("HTTP/1.1 200 OK\r\n\r\nwithout end");
  });
  await using fixture = GatewayFixture.open({ to: [backend] });
  const client = await fixture.connect();
  client.write(handshake());
  await client.until("without end");
  client.write(Buffer.alloc(24_000_000));
  await client.untilWritten();
  client.reset();
  await until(() => fixture.gateway.status().connections === 0);
});
