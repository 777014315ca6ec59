import { afterAll, expect, test } from "bun:test";
import { Metrics } from "../support/metrics.ts";
import { RawClient } from "../support/raw-client.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { behind, die, instead, killParent, SuccessorPrograms, whenTold } from "../support/successor-program.ts";
import { TalkingSessions } from "../support/talking-sessions.ts";
import { twoWorkers, workersOf } from "../support/two-workers.ts";
import { until } from "../support/until.ts";
import { WorkerProcesses } from "../support/worker-processes.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

/** More than cross in one lot, so that there is a moment in which some have crossed and some have not. */
const idle = 140;
const talkers = 4;
/** A worker that dies is known to be gone, and another one started, in less. */
const recoveryMs = 8000;

type Step = {
  readonly name: string;
  readonly script: (act: string) => string;
  /** Whether sessions live on if the worker, or else its successor, is killed here; undefined if it may be so or so. */
  readonly without: { readonly worker: boolean | undefined; readonly successor: boolean };
};

const [old, either, both, fresh] = [
  { worker: false, successor: true },
  // The rest may be on its way already.
  { worker: undefined, successor: true },
  { worker: true, successor: true },
  { worker: true, successor: false },
];

const steps: readonly Step[] = [
  { name: "is ready", script: (act) => instead("ready", act), without: old },
  { name: "hears what it shall be", script: (act) => whenTold("begin", act), without: old },
  { name: "knows what it shall be", script: (act) => instead("begun", act), without: old },
  { name: "gets the first sessions", script: (act) => whenTold("lot", act), without: either },
  { name: "has been sent everything", script: (act) => whenTold("adopt", act), without: both },
  { name: "holds everything", script: (act) => instead("adopted", act), without: both },
  { name: "is let go", script: (act) => whenTold("go", act), without: fresh },
  { name: "serves", script: (act) => instead("serving", act), without: fresh },
];

const programs = new SuccessorPrograms();
afterAll(() => programs[Symbol.dispose]());

const portOf = (gateway: RunningGateway): number => gateway.ready.listeners[0]?.port ?? 0;

/** Sessions that are open, some of them full of traffic. */
class Sessions implements Disposable {
  readonly talking: TalkingSessions;
  readonly #idle: readonly WsPeer[];

  private constructor(talking: TalkingSessions, quiet: readonly WsPeer[]) {
    this.talking = talking;
    this.#idle = quiet;
  }

  static async open(port: number): Promise<Sessions> {
    const quiet = Array.from({ length: idle }, () => WsPeer.open(port, { path: "/live" }));
    const talking = await TalkingSessions.open({ port, path: "/live", count: talkers, seed: 17 });
    return new Sessions(talking, await Promise.all(quiet));
  }

  get areAllOver(): boolean {
    return this.#all.every(({ end }) => end !== undefined);
  }

  get #all(): readonly WsPeer[] {
    return [...this.talking.peers, ...this.#idle];
  }

  /** Whether they live on, all of them, or are over: an end takes a while to be heard of. */
  async liveOn(): Promise<boolean> {
    this.#ask();
    await until(() => this.areAllOver || this.#haveAllAnswered, recoveryMs);
    return !this.areAllOver;
  }

  #ask(): void {
    for (const peer of this.#idle) {
      peer.messages.length = 0;
      peer.send("still there?");
    }
  }

  get #haveAllAnswered(): boolean {
    return this.#idle.every((peer) => peer.messages.length > 0);
  }

  /** Everything that is said comes back, on each of them. */
  async check(): Promise<void> {
    const { messages } = this.talking;
    this.#ask();
    await until(() => this.#haveAllAnswered, recoveryMs);
    await until(() => this.talking.messages > messages + 50, recoveryMs);
    expect(this.talking.faults).toEqual([]);
  }

  [Symbol.dispose](): void {
    this.talking[Symbol.dispose]();
    for (const { socket } of this.#idle) socket.terminate();
  }
}

const upgradeTo = (gateway: RunningGateway, name: string, script: string) =>
  gateway.admin(`/api/upgrade?binary=${encodeURIComponent(programs.add(name, { script }))}`, "POST");

/** One worker serves, no process is left beside it, and those sessions are open that should be. */
async function settled(gateway: RunningGateway, processes: WorkerProcesses, sessions: number): Promise<void> {
  let seen: unknown;
  const isSettled = async () => {
    const workers = await workersOf(gateway).catch(() => []);
    const { total } = (await gateway.admin("/api/sessions?limit=1")).body;
    seen = { states: workers.map(({ state }) => state), total, processes: processes.alive };
    return Bun.deepEquals(seen, { states: ["serving"], total: sessions, processes: workers.map(({ pid }) => pid) });
  };
  await until(isSettled, recoveryMs).catch(() =>
    expect(seen).toEqual({ states: ["serving"], total: sessions, processes: [expect.any(Number)] }),
  );
  const peer = await WsPeer.open(portOf(gateway), { path: "/live" });
  peer.send("hello");
  await until(() => peer.messages.length === 1);
  peer.socket.close(1000);
  expect((await peer.untilEnd()).code).toBe(1000);
}

test("a successor can be killed at every step of a handover: its sessions live on unless they were let go", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(twoWorkers(app, {}, 1));
  const processes = new WorkerProcesses(gateway);
  using sessions = await Sessions.open(portOf(gateway));
  for (const { name, script, without } of steps) {
    await upgradeTo(gateway, `successor-${name}`, script(die));
    if (without.successor) await sessions.check();
    await settled(gateway, processes, without.successor ? idle + talkers : 0);
    if (!without.successor) break;
  }
  await until(() => sessions.areAllOver, recoveryMs);
}, 60_000);

for (const { name, script, without } of steps) {
  const outcomes = new Map([
    [true, "its sessions live on in that"],
    [false, "it costs its sessions, and another one stands in its place"],
  ]);
  test(`a worker is killed when its successor ${name}: ${outcomes.get(without.worker ?? true)}`, async () => {
    await using app = await WsApp.open(echo);
    await using gateway = await RunningGateway.open(twoWorkers(app, {}, 1));
    const processes = new WorkerProcesses(gateway);
    using sessions = await Sessions.open(portOf(gateway));
    await upgradeTo(gateway, `worker-${name}`, script(killParent));
    const isAlive = without.worker ?? (await sessions.liveOn());
    if (isAlive) await sessions.check();
    else await until(() => sessions.areAllOver, recoveryMs);
    await settled(gateway, processes, isAlive ? idle + talkers : 0);
  }, 30_000);
}

test("a successor is killed when it has said that it serves, and was not heard of yet: another one stands in its place, and can be replaced", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(twoWorkers(app, {}, 1));
  const processes = new WorkerProcesses(gateway);
  using sessions = await Sessions.open(portOf(gateway));
  await upgradeTo(gateway, "successor-has-served", behind("serving", die));
  await until(() => sessions.areAllOver, recoveryMs);
  await settled(gateway, processes, 0);
  const counted = async () => (await Metrics.read(gateway.ready.admin)).sum("causeway_sessions_opened_total");
  const before = await counted();
  const peer = await WsPeer.open(portOf(gateway), { path: "/live" });
  await until(async () => (await counted()) === before + 1);
  peer.socket.terminate();
  await settled(gateway, processes, 0);
  expect((await gateway.admin("/api/upgrade", "POST")).status).toBe(200);
  await settled(gateway, processes, 0);
}, 30_000);

test("a worker is killed while what was under way follows its sessions: that goes on too", async () => {
  const seen = Promise.withResolvers<void>();
  const slow = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch() {
      await seen.promise;
      await Bun.sleep(300);
      return new Response("answered");
    },
  });
  await using app = await WsApp.open(echo);
  const routes = { slow: { match: { path: "/slow" }, to: "slow" } };
  const yaml = twoWorkers(app, routes, 1).replace(
    `"upstreams":{`,
    `$&"slow":{"endpoints":["127.0.0.1:${slow.port}"]},`,
  );
  await using gateway = await RunningGateway.open(yaml);
  using sessions = await Sessions.open(portOf(gateway));
  const client = await RawClient.open(portOf(gateway));
  const request = "GET /slow HTTP/1.1\r\nHost: example.com\r\n\r\n";
  client.write(request);
  const running = async () => (await Metrics.read(gateway.ready.admin)).sum("causeway_exchanges_running");
  await until(async () => (await running()) === 1);
  seen.resolve();
  await upgradeTo(gateway, "worker-second-round", whenTold("adopt", killParent, 2));
  await until(() => client.text.includes("answered"));
  await until(() => gateway.event("worker-ended") === undefined);
  client.write(request);
  await until(() => client.text.split("answered").length === 3);
  await sessions.check();
  client.end();
  await slow.stop(true);
}, 30_000);

test("a control process can be killed at every step of a handover, and the next one finds whoever has the sessions", async () => {
  await using app = await WsApp.open(echo);
  const yaml = twoWorkers(app, {}, 1);
  await using first = await RunningGateway.open(yaml, { isTied: false });
  const processes = new WorkerProcesses(first);
  using sessions = await Sessions.open(portOf(first));
  const fixed = yaml.replace('"web":{"address":"127.0.0.1:0"}', `"web":{"address":"127.0.0.1:${portOf(first)}"}`);
  await using stack = new AsyncDisposableStack();
  let gateway = first;
  for (const { name, script } of steps) {
    // The next control process is there before the handover has gone on.
    const kill = `process.kill(${gateway.pid}, "SIGKILL"); Bun.sleepSync(500);`;
    await upgradeTo(gateway, `control ${name}`, script(kill)).catch(() => {});
    await gateway.exited;
    gateway = stack.use(await RunningGateway.open(fixed, { file: gateway.file, isTied: false }));
    await sessions.check();
    await settled(gateway, processes, idle + talkers);
  }
  await sessions.talking.settle();
  expect(sessions.talking.faults).toEqual([]);
}, 90_000);
