import { afterAll, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import type { ServerOptions } from "ws";
import { Metrics } from "../support/metrics.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { die, instead, type ProgramLines, SuccessorPrograms, whenTold } from "../support/successor-program.ts";
import { TalkingSessions } from "../support/talking-sessions.ts";
import { workersOf } from "../support/two-workers.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

const programs = new SuccessorPrograms();
const program = (name: string, lines: ProgramLines): string => programs.add(name, lines);

afterAll(() => programs[Symbol.dispose]());

function yaml(app: WsApp): string {
  return JSON.stringify({
    admin: { address: "127.0.0.1:0" },
    workers: 1,
    log: { format: "json" },
    drain: { window: "0s", grace: "1s" },
    listeners: { web: { address: "127.0.0.1:0" } },
    upstreams: { app: { endpoints: [`127.0.0.1:${app.port}`] } },
    routes: { live: { match: { path: "/live" }, to: "app" } },
  });
}

const portOf = (gateway: RunningGateway): number => gateway.ready.listeners[0]?.port ?? 0;

const broken: readonly (readonly [string, ProgramLines, RegExp])[] = [
  ["ends at once", { shell: "exit 3" }, /exit code 3/],
  ["does not know its arguments", { shell: "echo what >&2; exit 2" }, /exit code 2/],
  ["is killed before it is ready", { script: instead("ready", die) }, /SIGKILL/],
  ["is killed before it knows the configuration", { script: instead("begun", die) }, /SIGKILL/],
  ["is killed while it holds everything", { script: instead("adopted", die) }, /SIGKILL/],
  ["reads another version", { script: instead("ready", "message.formats = [99];") }, /version 99/],
  ["says something else", { script: instead("begun", 'message.type = "adopted";') }, /said adopted/],
];

test("a successor that does not come up leaves everything as it was, and says why", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  using talking = await TalkingSessions.open({ port: portOf(gateway), path: "/live", count: 10, seed: 3 });
  for (const [name, lines, why] of broken) {
    const binary = program(name, lines);
    const { status, body } = await gateway.admin(`/api/upgrade?binary=${encodeURIComponent(binary)}`, "POST");
    expect([name, status, body]).toEqual([
      name,
      500,
      { error: { code: "upgrade_failed", message: expect.stringMatching(why) } },
    ]);
    await until(() => why.test(String(gateway.event("upgrade-failed")?.why)));
    const { messages } = talking;
    await until(() => talking.messages > messages + 100);
  }
  const peer = await WsPeer.open(portOf(gateway), { path: "/live" });
  peer.socket.close(1000);
  expect((await peer.untilEnd()).code).toBe(1000);
  const upgraded = await gateway.admin("/api/upgrade", "POST");
  expect(upgraded).toMatchObject({ status: 200, body: { items: [{ worker: "1", sessions: 10 }] } });
  await talking.settle();
  expect(talking.faults).toEqual([]);
}, 60_000);

test("a program that others could change is not run, nor one that is none", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  const open = program("open-to-all", {});
  chmodSync(open, 0o777);
  for (const [binary, why] of [
    [open, "other users"],
    ["causeway", "absolute"],
    [programs.folder, "no file"],
    [join(programs.folder, "nothing"), "cannot be run"],
  ] as const) {
    const { status, body } = await gateway.admin(`/api/upgrade?binary=${encodeURIComponent(binary)}`, "POST");
    expect([status, body]).toEqual([
      400,
      { error: { code: "upgrade_refused", message: expect.stringContaining(why) } },
    ]);
  }
});

/** A session whose handshake is under way when others go to a successor with this script, and those others. */
async function follow(gateway: RunningGateway, script: string): Promise<{ before: WsPeer[]; late: WsPeer }> {
  const port = portOf(gateway);
  const before = await Promise.all(Array.from({ length: 3 }, () => WsPeer.open(port, { path: "/live" })));
  const opening = WsPeer.open(port, { path: "/live?slow" });
  await until(async () => (await Metrics.read(gateway.ready.admin)).sum("causeway_exchanges_running") === 1);
  const binary = encodeURIComponent(program("follower", { script }));
  expect((await gateway.admin(`/api/upgrade?binary=${binary}`, "POST")).status).toBe(200);
  return { before, late: await opening };
}

/** Longer than a successor needs to start, where the path says so. */
const slowHandshakes: ServerOptions = {
  verifyClient: ({ req }, accept) => void setTimeout(() => accept(true), req.url?.includes("slow") === true ? 2500 : 0),
};

const shownOf = async (gateway: RunningGateway) =>
  (await workersOf(gateway)).map(({ state, sessions }) => [state, sessions]);

test("a successor that cannot take what follows later says so at once: it stays in the old process, and goes on", async () => {
  await using app = await WsApp.open(echo, slowHandshakes);
  await using gateway = await RunningGateway.open(yaml(app));
  const { before, late } = await follow(gateway, whenTold("lot", 'require("node:fs").closeSync(3);', 2));
  for (const peer of [...before, late]) peer.send("still there");
  await until(() => [...before, late].every(({ messages }) => messages.length === 1));
  expect(await shownOf(gateway)).toEqual([
    ["serving", 3],
    ["lingering", 1],
  ]);
  late.socket.close(4001, "enough");
  expect(await late.untilEnd()).toEqual({ code: 4001, reason: "enough" });
  await until(async () => (await workersOf(gateway)).length === 1);
}, 20_000);

test("a successor that stands still while something follows does not read it afterwards: the old process has it again", async () => {
  await using app = await WsApp.open(echo, slowHandshakes);
  await using gateway = await RunningGateway.open(yaml(app));
  // Longer than its predecessor waits.
  const { before, late } = await follow(gateway, whenTold("lot", "Bun.sleepSync(11_000);", 2));
  await until(async () => (await shownOf(gateway)).some(([state]) => state === "unresponsive"), 15_000);
  late.send("in between");
  await until(() => late.messages.length === 1, 15_000);
  for (const peer of before) peer.send("still there");
  await until(() => before.every(({ messages }) => messages.length === 1), 15_000);
  expect(await shownOf(gateway)).toEqual([
    ["serving", 3],
    ["lingering", 1],
  ]);
  // Nobody else takes any of it.
  for (let count = 0; count < 200; count++) late.send(`message ${count}`);
  await until(() => late.messages.length === 201);
  expect(late.messages.slice(1).map(String)).toEqual(Array.from({ length: 200 }, (_, count) => `message ${count}`));
  late.socket.close(4001, "enough");
  expect(await late.untilEnd()).toEqual({ code: 4001, reason: "enough" });
}, 40_000);
