import { expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { sampleConfiguration, sampleSession } from "../../../test/support/fake-view.ts";
import { applied, type FakeBehaviour, fakeWorkers } from "../../../test/support/fake-worker.ts";
import { until } from "../../../test/support/until.ts";
import type { Issue } from "../../core/issue.ts";
import type { Snapshot } from "../../core/snapshot.ts";
import { Backoff } from "../../kit/backoff.ts";
import { RuntimeFolder } from "./runtime-folder.ts";
import { Workers } from "./workers.ts";

const snapshot = (revision: number): Snapshot => ({ revision, listeners: [], routes: [], upstreams: [] });
const plan = { windowMs: 0, graceMs: 100, code: 1012, reason: "" };

async function keep(behaviour: FakeBehaviour = {}, { firstMs = 1, count = 1 } = {}) {
  const workers = fakeWorkers(behaviour);
  const heard = {
    applied: [] as number[],
    refused: [] as [number, readonly Issue[]][],
    dropped: 0,
    log: [] as string[],
  };
  const note = (event: string): void => void heard.log.push(event);
  const folder = RuntimeFolder.open(undefined);
  const keeper = await Workers.open({
    folder,
    start: workers.start,
    backoff: () => new Backoff({ firstMs, mostMs: firstMs, calmMs: 1000 }),
    log: { info: note, warn: note, error: note },
    listener: {
      onApplied: (revision) => heard.applied.push(revision),
      onRefused: (revision, issues) => heard.refused.push([revision, issues]),
      onRecords: (_, dropped) => {
        heard.dropped += dropped;
      },
    },
  });
  keeper.want(count);
  return { keeper, workers, heard };
}

test("a snapshot given before the worker calls is applied when it does", async () => {
  const { keeper, heard } = await keep();
  await using _ = keeper;
  keeper.apply(snapshot(1));
  await until(() => heard.applied.includes(1));
  expect(keeper.state).toBe("serving");
});

test("a snapshot of 10,000 routes crosses whole, in pieces of any size", async () => {
  const { keeper, workers, heard } = await keep();
  await using _ = keeper;
  const upstreams = Array.from({ length: 10_000 }, (_, at) => ({
    name: `upstream-${at}-${"é".repeat(100)}`,
    endpoints: [{ host: "10.0.0.1", port: 80, weight: 1 }],
    balance: "round-robin" as const,
    pool: { idle: 1, idleMs: 1 },
  }));
  const big = { ...snapshot(1), upstreams };
  keeper.apply(big);
  await until(() => heard.applied.includes(1));
  expect(workers.all[0]?.heard[0]).toEqual({ type: "prepare", snapshot: big });
});

test("a worker that ends is started again with the last good snapshot", async () => {
  const { keeper, workers, heard } = await keep();
  await using _ = keeper;
  keeper.apply(snapshot(1));
  keeper.apply(snapshot(2));
  await until(() => heard.applied.includes(2));
  workers.all[0]?.exit("signal SIGSEGV");
  await until(() => heard.applied.length === 2);
  expect(heard.applied).toEqual([2, 2]);
  expect(keeper.restarts).toBe(1);
  expect(heard.log).toEqual(["worker-ended", "worker-serving"]);
});

test("a snapshot that ends the worker is refused, and the one before comes back", async () => {
  const { keeper, workers, heard } = await keep({
    onSnapshot: (got, worker) => {
      if (got.revision === 1) return applied(got);
      worker.exit("signal SIGSEGV");
      return undefined;
    },
  });
  await using _ = keeper;
  keeper.apply(snapshot(1));
  await until(() => heard.applied.length === 1);
  keeper.apply(snapshot(2));
  await until(() => heard.applied.length === 2);
  expect(heard.applied).toEqual([1, 1]);
  expect(heard.refused.map(([revision]) => revision)).toEqual([2]);
  expect(workers.all.length).toBe(2);
});

test("a snapshot that comes while no worker runs is applied by the next worker", async () => {
  const { keeper, workers, heard } = await keep({}, { firstMs: 100 });
  await using _ = keeper;
  keeper.apply(snapshot(1));
  await until(() => heard.applied.length === 1);
  workers.all[0]?.exit("exit code 3");
  await until(() => keeper.state === "starting");
  keeper.apply(snapshot(2));
  await until(() => heard.applied.includes(2));
  expect(heard.refused).toEqual([]);
});

test("terms go with every snapshot, and new ones reach a serving worker at once and only once", async () => {
  const { keeper, workers, heard } = await keep();
  await using _ = keeper;
  keeper.useTerms({ drain: plan, wantsRecords: true });
  keeper.apply(snapshot(1));
  await until(() => heard.applied.length === 1);
  keeper.useTerms({ drain: plan, wantsRecords: true });
  keeper.useTerms({ drain: plan, wantsRecords: false });
  await until(() => workers.all[0]?.heard.length === 3);
  expect(workers.all[0]?.heard.slice(1)).toEqual([
    { type: "commit", revision: 1, terms: { drain: plan, wantsRecords: true } },
    { type: "terms", terms: { drain: plan, wantsRecords: false } },
  ]);
});

test("a worker that serves is not killed because it refuses what it already has", async () => {
  let isRefusing = false;
  const { keeper, workers, heard } = await keep({
    onSnapshot: (got) => (isRefusing ? { type: "refused", revision: got.revision, issues: [] } : applied(got)),
    onAsk: (_, id) => ({ type: "answer", id, answer: { about: "close", closed: 1 } }),
  });
  await using _ = keeper;
  keeper.apply(snapshot(1));
  await until(() => heard.applied.length === 1);
  isRefusing = true;
  keeper.useTerms({ drain: plan, wantsRecords: false });
  await keeper.ask({ about: "close", filter: {}, code: 1000, reason: "" }, 1000);
  expect([keeper.state, workers.all.length]).toEqual(["serving", 1]);
});

test("questions are answered, time out, and fail when the worker goes", async () => {
  let isMute = false;
  const { keeper, workers, heard } = await keep({
    onAsk: (_, id) => (isMute ? undefined : { type: "answer", id, answer: { about: "close", closed: 7 } }),
  });
  await using _ = keeper;
  keeper.apply(snapshot(1));
  await until(() => heard.applied.length === 1);
  const close = { about: "close", filter: {}, code: 1000, reason: "" } as const;
  expect((await keeper.ask(close, 1000)).closed).toBe(7);
  expect(keeper.ask({ about: "metrics" }, 1000)).rejects.toMatchObject({ failure: "failed" });
  isMute = true;
  expect(keeper.ask(close, 10)).rejects.toMatchObject({ failure: "timeout" });
  const asked = keeper.ask(close, 10_000);
  workers.all[0]?.exit("signal SIGKILL");
  expect(asked).rejects.toMatchObject({ failure: "unavailable" });
  await until(() => keeper.state === "serving" && keeper.restarts === 1);
});

test("a worker that breaks the protocol is replaced", async () => {
  const { keeper, workers, heard } = await keep();
  await using _ = keeper;
  keeper.apply(snapshot(1));
  await until(() => heard.applied.length === 1);
  workers.all[0]?.sayRaw("{ not json\n");
  await until(() => heard.applied.length === 2);
  expect(heard.log).toContain("worker-fault");
});

test("a stranger on the control socket is hung up on", async () => {
  const { keeper, workers, heard } = await keep();
  await using _ = keeper;
  keeper.apply(snapshot(1));
  await until(() => heard.applied.length === 1);
  workers.all[0]?.say({ type: "hello", protocol: 1, worker: "1", pid: 4, revision: 0, listeners: [] });
  await until(() => keeper.restarts === 1);
});

test("a drain that ends in time reports its counts; a worker that hangs is killed", async () => {
  const good = await keep({
    onDrain: (worker) => {
      worker.say({ type: "drained", closed: 5, destroyed: 1 });
      worker.sayRaw("");
      setImmediate(() => setImmediate(() => worker.exit("exit code 0")));
    },
  });
  good.keeper.apply(snapshot(1));
  await until(() => good.heard.applied.length === 1);
  expect(await good.keeper.drain(plan)).toEqual({ closed: 5, destroyed: 1, isKilled: false });
  await good.keeper[Symbol.asyncDispose]();

  const hung = await keep({ onDrain: () => {} });
  hung.keeper.apply(snapshot(1));
  await until(() => hung.heard.applied.length === 1);
  const startedAt = performance.now();
  expect(await hung.keeper.drain(plan)).toMatchObject({ isKilled: true });
  expect(performance.now() - startedAt).toBeGreaterThan(1000);
  expect(hung.workers.all.length).toBe(1);
  await hung.keeper[Symbol.asyncDispose]();
});

test("the control socket is only for its user and goes when the keeper goes", async () => {
  let path = "";
  const workers = fakeWorkers();
  const quiet = { info: () => {}, warn: () => {}, error: () => {} };
  const folder = RuntimeFolder.open(undefined);
  const keeper = await Workers.open({
    folder,
    start: (order) => {
      path = order.control;
      return workers.start(order);
    },
    log: quiet,
    listener: { onApplied: () => {}, onRefused: () => {}, onRecords: () => {} },
  });
  keeper.want(1);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  await keeper[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
  expect(existsSync(path)).toBe(false);
});

const types = (worker: { readonly heard: readonly { readonly type: string }[] } | undefined) =>
  worker?.heard.map(({ type }) => type);

test("a change that one worker cannot have is in force on none of them", async () => {
  const issue = { severity: "error", at: { source: "worker", path: "" }, says: "the port is taken" } as const;
  const { keeper, workers, heard } = await keep(
    {
      onSnapshot: (got, worker) =>
        worker.id === "3" && got.revision === 2 ? { type: "refused", revision: 2, issues: [issue] } : applied(got),
    },
    { count: 3 },
  );
  await using _ = keeper;
  keeper.apply(snapshot(1));
  await until(() => heard.applied.length === 1);
  keeper.apply(snapshot(2));
  await until(() => heard.refused.length === 1);
  expect(heard.refused).toEqual([[2, [issue]]]);
  await until(() => workers.all.every((worker) => types(worker)?.at(-1) === "abandon"));
  for (const worker of workers.all) expect(types(worker)).toEqual(["prepare", "commit", "prepare", "abandon"]);
  expect(keeper.all.map(({ revision }) => revision)).toEqual([1, 1, 1]);
});

test("a snapshot that ends workers ends one of them, and the others never hear of it", async () => {
  const { keeper, workers, heard } = await keep(
    {
      onSnapshot: (got, worker) => {
        if (got.revision === 1) return applied(got);
        worker.exit("signal SIGSEGV");
        return undefined;
      },
    },
    { count: 3 },
  );
  await using _ = keeper;
  keeper.apply(snapshot(1));
  await until(() => heard.applied.length === 1);
  keeper.apply(snapshot(2));
  await until(() => heard.refused.length === 1 && keeper.all.every(({ revision }) => revision === 1));
  expect(workers.all.length).toBe(4);
  expect(types(workers.all[1])).toEqual(["prepare", "commit", "abandon"]);
});

test("workers share the ports that the kernel chose for the first", async () => {
  const { listeners } = sampleConfiguration.model;
  const { keeper, workers, heard } = await keep(
    {
      onSnapshot: (got) => {
        const ports = got.listeners.map((listener) => ({ ...listener, port: listener.port || 4567 }));
        return applied({ ...got, listeners: ports });
      },
    },
    { count: 2 },
  );
  await using _ = keeper;
  keeper.apply({ ...snapshot(1), listeners });
  await until(() => heard.applied.length === 1);
  const asked = workers.all.map(({ heard: [first] }) => first?.type === "prepare" && first.snapshot.listeners[0]?.port);
  expect(asked).toEqual([0, 4567]);
});

test("more workers get what is in force, and those that are too many leave their ports before they drain", async () => {
  const { keeper, workers, heard } = await keep();
  await using _ = keeper;
  keeper.useTerms({ drain: plan, wantsRecords: true });
  keeper.apply({ ...snapshot(1), listeners: sampleConfiguration.model.listeners });
  await until(() => heard.applied.length === 1);
  keeper.want(3);
  await until(() => keeper.all.length === 3 && keeper.all.every(({ revision }) => revision === 1));
  keeper.want(1);
  await until(() => keeper.all.length === 1);
  for (const worker of workers.all.slice(1)) {
    expect(types(worker)).toEqual(["snapshot", "snapshot", "drain"]);
    expect(worker.heard[1]).toMatchObject({ snapshot: { listeners: [] } });
  }
  expect(types(workers.all[0])).toEqual(["prepare", "commit"]);
});

test("a worker that ends again and again soon after its start is counted, and tried again", async () => {
  const { keeper, workers, heard } = await keep();
  await using _ = keeper;
  keeper.apply(snapshot(1));
  for (let ends = 1; ends <= 3; ends++) {
    await until(() => workers.all.length === ends && heard.applied.length === ends);
    workers.all.at(-1)?.exit("exit code 1");
    await until(() => keeper.all[0]?.failures === ends);
  }
  await until(() => heard.applied.length === 4);
  expect([keeper.state, keeper.restarts]).toEqual(["serving", 3]);
});

test("what several workers answer is added up, with the worker that has each session", async () => {
  let asked = 0;
  const { keeper, heard } = await keep(
    {
      onAsk: (question, id) => {
        const at = asked++;
        if (question.about !== "sessions") return undefined;
        const items = [sampleSession({ id: `s${at}`, openedAt: 10 - at })];
        return { type: "answer", id, answer: { about: "sessions", items, total: 5 } };
      },
    },
    { count: 2 },
  );
  await using _ = keeper;
  keeper.apply(snapshot(1));
  await until(() => heard.applied.length === 1);
  const answer = await keeper.ask({ about: "sessions", filter: {}, limit: 2 }, 1000);
  expect(answer).toMatchObject({
    total: 10,
    items: [
      { id: "s1", worker: "2" },
      { id: "s0", worker: "1" },
    ],
  });
  expect((await keeper.ask({ about: "sessions", filter: {}, limit: 1 }, 1000)).items.length).toBe(1);
});
