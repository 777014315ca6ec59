import { expect, test } from "bun:test";
import { type Holdings, holdings, leftOver } from "../support/baseline.ts";
import { cells, FaultMatrix } from "../support/fault-matrix.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { siteYaml } from "../support/site-yaml.ts";
import { SuccessorPrograms, slowSuccessor } from "../support/successor-program.ts";
import { TalkingSessions } from "../support/talking-sessions.ts";
import { type ShownWorker, workersOf } from "../support/two-workers.ts";
import { until } from "../support/until.ts";
import { echo, WsApp } from "../support/ws.ts";

/** How often everything goes wrong, and how often each cell is played then. */
const rounds = 2;
const atOnce = 6;
/** What the frozen moments of an upgrade are stretched to, so that faults fall into them: together less than a dead peer is given (ms). */
const slowMs = 150;
/** Several times what the timeouts below come to, beside the time that an upgrade takes on a busy machine (ms). */
const settleMs = 10_000;

/** As in the matrix without upgrades: a dead peer after 600 ms, a handshake after 1 s, a closing after 500 ms. */
const route = "timeouts: { handshake: 1s, close: 500ms }\n    keepalive: { ping: 300ms, misses: 2 }";

function faultYaml(matrix: FaultMatrix, app: WsApp): string {
  const upstreams = { ...matrix.upstreams, live: [`127.0.0.1:${app.port}`] };
  const listener = "timeouts: { head: 1s }, limits: { pendingPerAddress: 100000 }";
  return siteYaml({ upstreams, route, listener });
}

/** Waits until the processes of earlier rounds are gone, and nothing is held that was not held before. */
async function settled(gateway: RunningGateway, matrix: FaultMatrix, before?: Holdings): Promise<Holdings> {
  let now: Holdings | undefined;
  let left: readonly string[] = [];
  let workers: readonly ShownWorker[] = [];
  const isBack = async () => {
    workers = await workersOf(gateway);
    now = await holdings(gateway);
    left = before === undefined ? [] : leftOver(before, now);
    return left.length === 0 && workers.length === 1 && matrix.starting === 0 && now.balance === now.sessions;
  };
  await until(isBack, settleMs).catch(() => {});
  expect([left, workers]).toEqual([[], [expect.objectContaining({ state: "serving" })]]);
  if (now === undefined) throw new Error("the gateway was not looked at");
  return now;
}

test("AC-6.1 during upgrades: after every fault at every moment nothing is left, and nobody well-behaved hangs or hears of it", async () => {
  using matrix = new FaultMatrix();
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(faultYaml(matrix, app));
  const port = gateway.ready.listeners[0]?.port ?? 0;
  using talking = await TalkingSessions.open({ port, path: "/live/", count: 5, seed: 11 });
  using programs = new SuccessorPrograms();
  const binary = encodeURIComponent(programs.add("slow", { script: slowSuccessor(slowMs) }));
  const upgrade = async () => {
    const { status, body } = await gateway.admin(`/api/upgrade?binary=${binary}`, "POST");
    expect([status, body]).toEqual([200, expect.anything()]);
  };
  await upgrade();
  const before = await settled(gateway, matrix);
  for (let round = 0; round < rounds; round++) {
    let isPlayed = false;
    const upgrades = (async () => {
      do await upgrade();
      while (!isPlayed);
    })();
    for (const cell of cells) {
      matrix.play(port, cell, atOnce);
      // The faults are spread over all that an upgrade does.
      await Bun.sleep(10);
    }
    isPlayed = true;
    await upgrades;
    await settled(gateway, matrix, before);
    expect(matrix.hanging).toEqual([]);
    for (const code of matrix.closeCodes) expect([1000, 1001, 1014, 4000]).toContain(code);
    matrix.clear();
  }
  await talking.settle();
  expect(talking.faults).toEqual([]);
  expect(gateway.lines.filter((line) => line.level === "error")).toEqual([]);
  expect(gateway.event("worker-ended")).toBeUndefined();
}, 60_000);
