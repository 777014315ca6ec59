import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { RunningGateway } from "../support/running-gateway.ts";
import { Talk } from "../support/talk.ts";
import { openOnAll, twoWorkers, workersOf } from "../support/two-workers.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

test("a control process that is killed leaves the workers serving, and the next one takes them over", async () => {
  await using app = await WsApp.open(echo);
  await using killed = await RunningGateway.open(twoWorkers(app), { isTied: false });
  const peers = await openOnAll(killed);
  const before = await workersOf(killed);
  const { ready } = killed;
  const port = ready.listeners[0]?.port ?? 0;
  using talk = new Talk(peers, 20);
  killed.kill("SIGKILL");
  await killed.exited;
  // Nobody is there, and new sessions open all the same.
  const late = await WsPeer.open(port, { path: "/live" });
  await using next = await RunningGateway.open(twoWorkers(app, { more: { match: { path: "/more" }, to: "app" } }), {
    file: killed.file,
    isTied: false,
  });
  expect(next.event("workers-adopted")).toMatchObject({ workers: [{ pid: ready.workerPids[0] }, {}] });
  expect(next.ready.workerPids).toEqual(ready.workerPids);
  expect(next.ready.listeners).toEqual(ready.listeners);
  const after = await workersOf(next);
  expect(after.reduce((sum, { sessions }) => sum + sessions, 0)).toBe(peers.length + 1);
  expect(after.map(({ id, pid }) => ({ id, pid }))).toEqual(before.map(({ id, pid }) => ({ id, pid })));
  (await WsPeer.open(port, { path: "/more" })).socket.close();
  late.send("hello");
  await until(() => late.messages.length === 1);
  await talk.stop();
  expect(talk.faults).toEqual([]);
  // A worker that was taken over is kept alive like any other.
  process.kill(ready.workerPids[1] ?? 0, "SIGKILL");
  await until(() => next.event("worker-serving") !== undefined);
  next.kill("SIGTERM");
  expect(await next.exited).toBe(0);
}, 15_000);

test("a control process that cannot read its files leaves the workers that it found, and the next one takes them", async () => {
  await using app = await WsApp.open(echo);
  await using killed = await RunningGateway.open(twoWorkers(app), { isTied: false });
  const peers = await openOnAll(killed);
  killed.kill("SIGKILL");
  await killed.exited;
  await using broken = new RunningGateway("nonsense: 1", { file: killed.file, isTied: false });
  expect(await broken.exited).toBe(1);
  for (const peer of peers) peer.send("still here");
  await until(() => peers.every(({ messages }) => messages.length === 1));
  await using next = await RunningGateway.open(twoWorkers(app), { file: killed.file, isTied: false });
  expect(next.ready.workerPids).toEqual(killed.ready.workerPids);
}, 10_000);

test("without a control process SIGTERM drains a worker, and the last one leaves nothing behind", async () => {
  await using app = await WsApp.open(echo);
  await using killed = await RunningGateway.open(twoWorkers(app), { isTied: false });
  const peers = await openOnAll(killed);
  const [first = 0, second = 0] = killed.ready.workerPids;
  const folder = runtimeFolder(first);
  killed.kill("SIGKILL");
  await killed.exited;
  await until(() => {
    // The worker notices the loss of its control process in its own time, and obeys signals from then on.
    process.kill(first, "SIGTERM");
    process.kill(second, "SIGTERM");
    return peers.every(({ end }) => end?.code === 1012);
  });
  await until(() => !existsSync(folder));
});

/** Where worker and control process meet. */
function runtimeFolder(workerPid: number): string {
  const args = readFileSync(`/proc/${workerPid}/cmdline`, "utf8").split("\0");
  return dirname(args[args.indexOf("--control") + 1] ?? "");
}
