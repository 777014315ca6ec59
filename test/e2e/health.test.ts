import { afterAll, beforeAll, expect, test } from "bun:test";
import { EchoProcess } from "../support/echo-process.ts";
import { Metrics } from "../support/metrics.ts";
import { type LogLine, RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";
import { WsPeer } from "../support/ws.ts";

const intervalMs = 200;

/** One handshake of the load: when it began, and what became of it. */
type Attempt = { readonly startedAt: number; readonly isGood: boolean };

/** Opens a session every few milliseconds; each says something, wants it back, and closes. */
class Load implements AsyncDisposable {
  readonly attempts: Attempt[] = [];
  /** Handshakes, and echoes of sessions that opened, that failed. */
  lostEchoes = 0;
  #begun = 0;
  readonly #port: number;
  readonly #over: Promise<void>;
  #isOn = true;
  readonly #running = new Set<Promise<void>>();

  constructor(port: number) {
    this.#port = port;
    this.#over = this.#run();
  }

  /** Waits for so many handshakes that begin after now. */
  async more(count: number): Promise<void> {
    const before = this.#begun;
    await until(() => this.#begun >= before + count, 10_000);
  }

  failuresSince(time: number): Attempt[] {
    return this.attempts.filter(({ startedAt, isGood }) => startedAt >= time && !isGood);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOn = false;
    await this.#over;
    await Promise.all(this.#running);
  }

  async #run(): Promise<void> {
    while (this.#isOn) {
      this.#begun++;
      const one = this.#session();
      this.#running.add(one);
      void one.then(() => this.#running.delete(one));
      await Bun.sleep(5);
    }
  }

  async #session(): Promise<void> {
    const startedAt = Date.now();
    const peer = await WsPeer.open(this.#port).catch(() => undefined);
    this.attempts.push({ startedAt, isGood: peer !== undefined });
    if (peer === undefined) return;
    peer.send("hello");
    const isLost = await until(() => peer.messages.length === 1, 3000).then(
      () => false,
      () => true,
    );
    if (isLost) this.lostEchoes++;
    peer.socket.close(1000);
    await peer.untilEnd().catch(() => {});
  }
}

type Shown = { readonly address: string; readonly state: string; readonly why: string; readonly sessions: number } & {
  readonly handshakes: number;
  readonly connectFailures: number;
};

let apps: EchoProcess[] = [];
let gateway: RunningGateway;

beforeAll(async () => {
  apps = await Promise.all(Array.from({ length: 5 }, () => EchoProcess.open()));
  gateway = await RunningGateway.open(`
admin: { address: "127.0.0.1:0" }
log: { format: json }
drain: { window: 0s, grace: 1s }
listeners: { web: { address: "127.0.0.1:0" } }
upstreams:
  app:
    endpoints: [ ${apps.map(({ address }) => `"${address}"`).join(", ")} ]
    balance: round-robin
    health: { type: http, path: /healthz, interval: ${intervalMs}ms, timeout: 300ms, healthy: 2, unhealthy: 2 }
routes: { all: { to: app, timeouts: { handshake: 1s, close: 1s } } }
`);
  await untilState(apps.map(() => "healthy"));
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  for (const app of apps) await app[Symbol.asyncDispose]();
});

async function shown(): Promise<Shown[]> {
  const { body } = await gateway.admin("/api/upstreams");
  const [upstream] = body.items as [{ endpoints: Shown[] }];
  return upstream.endpoints;
}

async function untilState(states: readonly string[], deadlineMs = 5000): Promise<void> {
  const isSo = async (): Promise<boolean> => (await shown()).every(({ state }, at) => state === states[at]);
  await until(isSo, deadlineMs);
}

/** The newest event of this name, as soon as it is about this application: the log may come later than what the API shows. */
async function event(name: string, at: number): Promise<LogLine | undefined> {
  await until(() => gateway.event(name)?.endpoint === app(at).address);
  return gateway.event(name);
}

function app(at: number): EchoProcess {
  return apps[at] as EchoProcess;
}

function load(): Load {
  return new Load(Number(new URL(gateway.url).port));
}

test("an endpoint that is killed costs no handshake that begins afterwards, is out within an interval, and is back after a restart", async () => {
  await using traffic = load();
  await traffic.more(50);
  const killedAt = Date.now();
  await app(0).kill();
  const deadAt = Date.now();
  await untilState(["unhealthy", "healthy", "healthy", "healthy", "healthy"]);
  const found = await event("endpoint-unhealthy", 0);
  expect(found).toMatchObject({ upstream: "app", why: expect.stringContaining("REFUSED") });
  // 0.4 s on a machine that has nothing else to do: one interval until a check meets it, and another one to be sure.
  expect(Date.parse(String(found?.time)) - killedAt).toBeLessThan(1000);
  const [before] = await shown();
  await traffic.more(100);
  const [after] = await shown();
  expect(after?.connectFailures).toBe(before?.connectFailures ?? -1);
  expect(after?.handshakes).toBe(before?.handshakes ?? -1);
  await app(0).restart();
  await untilState(apps.map(() => "healthy"));
  await traffic.more(50);
  await until(async () => ((await shown())[0]?.handshakes ?? 0) > (after?.handshakes ?? 0));
  expect(await event("endpoint-healthy", 0)).toMatchObject({ upstream: "app" });
  // A handshake that it had got already cannot be sent to another one.
  expect(traffic.failuresSince(deadAt)).toEqual([]);
}, 20_000);

test("an endpoint that stands still gets nothing as soon as it is suspected, and its sessions stay", async () => {
  const port = Number(new URL(gateway.url).port);
  const sessions = await Promise.all(Array.from({ length: 5 }, () => WsPeer.open(port)));
  await using traffic = load();
  await traffic.more(50);
  const stoppedAt = Date.now();
  app(1).signal("SIGSTOP");
  await until(async () => (await shown())[1]?.state !== "healthy");
  const suspectedAt = Date.now();
  // 0.3 s at most on a machine that has nothing else to do: such a short interval leaves a check half of it to answer in.
  expect(suspectedAt - stoppedAt).toBeLessThan(1000);
  await untilState(["healthy", "unhealthy", "healthy", "healthy", "healthy"]);
  expect(await event("endpoint-unhealthy", 1)).toMatchObject({ why: "no good answer within 300 ms" });
  await traffic.more(150);
  app(1).signal("SIGCONT");
  await untilState(apps.map(() => "healthy"));
  await traffic.more(50);
  expect(traffic.failuresSince(suspectedAt)).toEqual([]);
  for (const session of sessions) session.send("still there");
  await until(() => sessions.every((session) => session.messages.length === 1));
  for (const session of sessions) session.socket.close(1000);
}, 20_000);

test("an endpoint that is too slow for its checks gets nothing, and is back when it is fast again", async () => {
  await using traffic = load();
  await app(2).slow(400);
  await untilState(["healthy", "healthy", "unhealthy", "healthy", "healthy"]);
  const before = (await shown())[2]?.sessions ?? 0;
  await traffic.more(100);
  expect((await shown())[2]?.sessions).toBeLessThanOrEqual(before);
  await app(2).slow(0);
  await untilState(apps.map(() => "healthy"));
  expect(traffic.failuresSince(0)).toEqual([]);
}, 20_000);

test("an endpoint that is drained by command gets nothing until that is taken back", async () => {
  await using traffic = load();
  const target = `/api/upstreams/app/endpoints/${encodeURIComponent(app(3).address)}/drain`;
  expect(await gateway.admin(target, "POST")).toMatchObject({ status: 200, body: { isDraining: true } });
  await untilState(["healthy", "healthy", "healthy", "draining", "healthy"]);
  await until(async () => (await shown())[3]?.sessions === 0);
  const before = (await shown())[3]?.handshakes;
  await traffic.more(50);
  expect((await shown())[3]).toMatchObject({ handshakes: before, why: "drained by an operator" });
  expect(await gateway.admin(target, "DELETE")).toMatchObject({ status: 200, body: { isDraining: false } });
  await until(async () => ((await shown())[3]?.handshakes ?? 0) > (before ?? 0));
  expect(traffic.failuresSince(0)).toEqual([]);
}, 20_000);

test("what is counted is what happened", async () => {
  const counted = async (): Promise<number[]> => {
    const metrics = await Metrics.read(gateway.ready.admin);
    return [
      metrics.sum("causeway_handshakes_total", 'status="101"'),
      metrics.sum("causeway_handshakes_total") - metrics.sum("causeway_handshakes_total", 'status="101"'),
      metrics.sum("causeway_sessions_opened_total"),
      metrics.sum("causeway_endpoint_answers_total", 'kind="handshake"'),
    ];
  };
  await until(async () => (await shown()).every(({ sessions }) => sessions === 0));
  const before = await counted();
  let attempts: readonly Attempt[];
  {
    await using traffic = load();
    await traffic.more(30);
    await app(4).kill();
    await traffic.more(100);
    await app(4).restart();
    await traffic.more(30);
    attempts = traffic.attempts;
  }
  const good = attempts.filter(({ isGood }) => isGood).length;
  await until(async () => (await shown()).every(({ sessions }) => sessions === 0));
  const after = await counted();
  expect(after.map((value, at) => value - (before[at] ?? 0))).toEqual([good, attempts.length - good, good, good]);
  expect(attempts.length - good).toBeLessThan(3);
  const metrics = await Metrics.read(gateway.ready.admin);
  const shownNow = await shown();
  const failures = shownNow.reduce((sum, { connectFailures }) => sum + connectFailures, 0);
  expect(metrics.sum("causeway_endpoint_connect_failures_total")).toBe(failures);
  expect(metrics.sum("causeway_endpoint_checks_total", 'result="failed"')).toBeGreaterThan(4);
  expect(metrics.sum("causeway_upstream_panic")).toBe(0);
}, 20_000);
