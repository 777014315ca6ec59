import { expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunningGateway } from "../support/running-gateway.ts";
import { TalkingSessions } from "../support/talking-sessions.ts";
import { until } from "../support/until.ts";
import { WorkerProcesses } from "../support/worker-processes.ts";
import { echo, WsApp } from "../support/ws.ts";

function yaml(app: WsApp): string {
  return JSON.stringify({
    admin: { address: "127.0.0.1:0" },
    workers: 2,
    log: { format: "json" },
    drain: { window: "0s", grace: "1s" },
    listeners: { web: { address: "127.0.0.1:0" } },
    upstreams: { app: { endpoints: [`127.0.0.1:${app.port}`] } },
    routes: { live: { match: { path: "/live" }, to: "app" } },
  });
}

const portOf = (gateway: RunningGateway): number => gateway.ready.listeners[0]?.port ?? 0;
const readies = (gateway: RunningGateway): number => gateway.lines.filter(({ event }) => event === "ready").length;

test("the control process becomes the new version too: the same process, the same workers, and no session hears of it", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app), { isTied: false });
  using talking = await TalkingSessions.open({ port: portOf(gateway), path: "/live", count: 20, seed: 5 });
  const descriptors: number[] = [];
  for (let round = 1; round <= 3; round++) {
    const { status, body } = await gateway.admin("/api/upgrade", "POST");
    expect([status, body]).toEqual([200, expect.objectContaining({ isControlReplaced: true })]);
    await until(() => readies(gateway) === round + 1, 10_000);
    expect(gateway.ready).toMatchObject({ pid: gateway.pid });
    const items = body.items as { pid: number }[];
    expect(gateway.ready.workerPids).toEqual(items.map(({ pid }) => pid));
    expect(readlinkSync(`/proc/${gateway.pid}/exe`)).toBe(readlinkSync("/proc/self/exe"));
    expect((await gateway.admin("/api/sessions")).body.total).toBe(20);
    expect((await fetch(`${gateway.ready.admin}/readyz`)).status).toBe(200);
    const page = await (await fetch(`${gateway.ready.admin}/metrics`)).text();
    descriptors.push(Number(/^process_open_fds\{process="control"\} (\d+)$/m.exec(page)?.[1]));
  }
  const { messages } = talking;
  await until(() => talking.messages > messages + 200);
  await talking.settle();
  expect(talking.faults).toEqual([]);
  expect(Math.max(...descriptors) - Math.min(...descriptors)).toBeLessThan(5);
  gateway.write(yaml(app).replace("/live", "/moved"));
  await until(async () => JSON.stringify((await gateway.admin("/api/routes")).body).includes("/moved"));
}, 60_000);

test("a control process that is killed while it becomes another program leaves workers that the next one finds", async () => {
  await using app = await WsApp.open(echo);
  await using killed = await RunningGateway.open(yaml(app), { isTied: false });
  using talking = await TalkingSessions.open({ port: portOf(killed), path: "/live", count: 10, seed: 6 });
  const processes = new WorkerProcesses(killed);
  expect((await killed.admin("/api/upgrade", "POST")).status).toBe(200);
  await until(() => killed.event("control-replaced") !== undefined);
  killed.kill("SIGKILL");
  await killed.exited;
  const fixed = yaml(app).replace('"web":{"address":"127.0.0.1:0"}', `"web":{"address":"127.0.0.1:${portOf(killed)}"}`);
  await using next = await RunningGateway.open(fixed, { file: killed.file, isTied: false });
  expect((await next.admin("/api/sessions")).body.total).toBe(10);
  expect(processes.alive).toEqual(next.ready.workerPids.toSorted((one, other) => one - other));
  const { messages } = talking;
  await until(() => talking.messages > messages + 200);
  await talking.settle();
  expect(talking.faults).toEqual([]);
}, 30_000);

test("a version that cannot read the configuration is refused before anything moves", async () => {
  const folder = mkdtempSync(join(tmpdir(), "causeway-test-"));
  const binary = join(folder, "causeway");
  writeFileSync(binary, "#!/bin/sh\necho this key is unknown\nexit 1\n");
  chmodSync(binary, 0o755);
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app), { isTied: false });
  const { status, body } = await gateway.admin(`/api/upgrade?binary=${binary}`, "POST");
  expect(status).toBe(400);
  expect(JSON.stringify(body)).toContain("exit code 1: this key is unknown");
  expect(gateway.event("worker-upgraded")).toBeUndefined();
  rmSync(folder, { recursive: true });
});
