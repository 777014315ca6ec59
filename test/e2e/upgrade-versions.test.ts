import { expect, test } from "bun:test";
import manifest from "../../package.json" with { type: "json" };
import { handoverFormat } from "../../src/core/handover.ts";
import { workerProtocol } from "../../src/core/worker-protocol.ts";
import { type Edit, OtherVersion } from "../support/other-version.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { SuccessorPrograms } from "../support/successor-program.ts";
import { TalkingSessions } from "../support/talking-sessions.ts";
import { twoWorkers } from "../support/two-workers.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

const portOf = (gateway: RunningGateway): number => gateway.ready.listeners[0]?.port ?? 0;
const upgradeTo = (gateway: RunningGateway, binary: string) =>
  gateway.admin(`/api/upgrade?binary=${encodeURIComponent(binary)}`, "POST");

const numbered = (version: string): Edit => ({
  file: "package.json",
  from: `"version": "${manifest.version}"`,
  to: `"version": "${version}"`,
});

test("sessions go from one version to the next, which is one executable, and back again", async () => {
  using next = new OtherVersion([numbered("99.0.0")]);
  using programs = new SuccessorPrograms();
  const executable = await next.build();
  const [forward, back] = [executable, programs.add("this-version", {})];
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(twoWorkers(app), { isTied: false });
  using talking = await TalkingSessions.open({ port: portOf(gateway), path: "/live", count: 20, seed: 8 });
  const versions = [gateway.event("ready")?.version];
  for (const [round, binary] of [forward, back].entries()) {
    const { status, body } = await upgradeTo(gateway, binary);
    expect([status, body]).toEqual([200, expect.objectContaining({ isControlReplaced: true })]);
    await until(() => gateway.lines.filter(({ event }) => event === "ready").length === round + 2, 10_000);
    versions.push(gateway.event("ready")?.version);
    const { messages } = talking;
    await until(() => talking.messages > messages + 100);
    expect((await gateway.admin("/api/sessions")).body.total).toBe(20);
    const peer = await WsPeer.open(portOf(gateway), { path: "/live" });
    peer.socket.close(1000);
    expect((await peer.untilEnd()).code).toBe(1000);
  }
  const own = manifest.version;
  expect(versions).toEqual([own, "99.0.0", own]);
  await talking.settle();
  expect(talking.faults).toEqual([]);
}, 60_000);

const strangers: readonly { readonly name: string; readonly edit: Edit; readonly why: string }[] = [
  {
    name: "writes sessions down in another way",
    edit: {
      file: "src/core/handover.ts",
      from: `handoverFormat = ${handoverFormat};`,
      to: `handoverFormat = ${handoverFormat + 1};`,
    },
    why: `it reads handovers of version ${handoverFormat + 1}, and this is ${handoverFormat}`,
  },
  {
    name: "talks to its control process in another way",
    edit: {
      file: "src/core/worker-protocol.ts",
      from: `workerProtocol = ${workerProtocol};`,
      to: `workerProtocol = ${workerProtocol + 1};`,
    },
    why: `it speaks version ${workerProtocol + 1} with control processes, and this one ${workerProtocol}`,
  },
  {
    name: "counts in another way",
    edit: { file: "src/kit/shared-memory.ts", from: "const version = 1;", to: "const version = 2;" },
    why: "shared memory has layout 1, not 2",
  },
];

test("a version that would not understand is refused with the reason, and everything goes on where it is", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(twoWorkers(app), { isTied: false });
  using talking = await TalkingSessions.open({ port: portOf(gateway), path: "/live", count: 10, seed: 9 });
  const before = (await gateway.admin("/api/workers")).body.items as { pid: number }[];
  for (const { edit, why } of strangers) {
    using stranger = new OtherVersion([numbered("98.0.0"), edit]);
    const { status, body } = await upgradeTo(gateway, stranger.program);
    expect([status, body]).toEqual([500, { error: { code: "upgrade_failed", message: expect.stringContaining(why) } }]);
    await until(() => String(gateway.event("upgrade-failed")?.why).includes(why));
  }
  const after = (await gateway.admin("/api/workers")).body.items as { pid: number }[];
  expect(after.map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid));
  const { messages } = talking;
  await until(() => talking.messages > messages + 100);
  await talking.settle();
  expect(talking.faults).toEqual([]);
}, 60_000);
