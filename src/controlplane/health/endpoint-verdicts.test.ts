import { expect, test } from "bun:test";
import { until } from "../../../test/support/until.ts";
import type { EndpointVerdict } from "../../core/endpoint-state.ts";
import type { CheckSettings } from "../../core/health-settings.ts";
import type { UpstreamSettings } from "../../core/snapshot.ts";
import { EndpointVerdicts } from "./endpoint-verdicts.ts";
import type { Probe, ProbeResult } from "./probe.ts";

const check: CheckSettings = { probe: { type: "tcp" }, intervalMs: 4, timeoutMs: 5, healthy: 2, unhealthy: 3 };

function upstream(ports: readonly number[], settings?: CheckSettings): UpstreamSettings {
  return {
    name: "app",
    endpoints: ports.map((port) => ({ host: "127.0.0.1", port, weight: 100 })),
    balance: "least-sessions",
    pool: { idle: 0, idleMs: 0 },
    ...(settings === undefined ? {} : { health: { check: settings, panic: 10, onUnhealthy: "keep" } }),
  };
}

/** Verdicts over endpoints whose checks end as the test says: by port, and good if nothing is said. */
class Bench implements Disposable {
  readonly told: EndpointVerdict[] = [];
  readonly events: string[] = [];
  readonly bad = new Set<number>();
  checks = 0;
  readonly verdicts: EndpointVerdicts;

  constructor(answer?: (one: Probe) => Promise<ProbeResult>) {
    const decided = async ({ port }: Probe): Promise<ProbeResult> =>
      this.bad.has(port) ? { isGood: false, ms: 1, why: "refused" } : { isGood: true, ms: 1 };
    this.verdicts = new EndpointVerdicts({
      log: {
        info: (event) => this.events.push(event),
        warn: (event) => this.events.push(event),
        error: (event) => this.events.push(event),
      },
      onVerdicts: (verdicts) => this.told.push(...verdicts),
      probe: (one) => {
        this.checks++;
        return answer === undefined ? decided(one) : answer(one);
      },
    });
  }

  health(port: number): string | undefined {
    return this.verdicts.find("app", `127.0.0.1:${port}`)?.verdict.health;
  }

  [Symbol.dispose](): void {
    this.verdicts[Symbol.dispose]();
  }
}

test("the first check of an endpoint decides alone", async () => {
  using bench = new Bench();
  bench.bad.add(2);
  bench.verdicts.update([upstream([1, 2], check)]);
  expect([bench.health(1), bench.health(2)]).toEqual(["unchecked", "unchecked"]);
  await until(() => bench.told.length === 2);
  expect([bench.health(1), bench.health(2)]).toEqual(["healthy", "unhealthy"]);
  expect(bench.verdicts.find("app", "127.0.0.1:2")?.checks).toMatchObject({ good: 0, lastWhy: "refused" });
});

test("after that it takes as many checks in a row as the settings say, down and up", async () => {
  using bench = new Bench();
  bench.verdicts.update([upstream([1], check)]);
  await until(() => bench.health(1) === "healthy");
  const figures = () => bench.verdicts.find("app", "127.0.0.1:1")?.checks;
  bench.bad.add(1);
  await until(() => bench.health(1) === "unhealthy");
  expect(figures()?.failed).toBe(3);
  const before = figures()?.good ?? 0;
  bench.bad.delete(1);
  await until(() => bench.health(1) === "healthy");
  expect(figures()?.good).toBe(before + 2);
  expect(bench.told.map(({ health, isSuspected = false }) => [health, isSuspected])).toEqual([
    ["healthy", false],
    ["healthy", true],
    ["unhealthy", false],
    ["healthy", false],
  ]);
  expect(bench.events).toEqual(["endpoint-unhealthy", "endpoint-healthy"]);
});

test("a check that takes longer than the interval does not hold up the next ones, and no more are under way than are needed", async () => {
  const answers: ((result: ProbeResult) => void)[] = [];
  const prompt = { isGood: true, ms: 1 } as const;
  let others = 0;
  using bench = new Bench(({ port }) => {
    if (port === 1) return new Promise((resolve) => answers.push(resolve));
    others++;
    return Promise.resolve(prompt);
  });
  bench.verdicts.update([upstream([1, 2], { ...check, timeoutMs: 10_000 })]);
  await until(() => answers.length === 1);
  answers[0]?.(prompt);
  await until(() => answers.length === 4);
  const before = others;
  await until(() => others === before + 10);
  expect(answers.length).toBe(4);
  // The newest answer is the one that holds.
  answers[2]?.(prompt);
  const late = { isGood: false, ms: 1, why: "late" } as const;
  answers[1]?.(late);
  answers[3]?.(late);
  await until(() => answers.length === 7);
  expect(bench.health(1)).toBe("healthy");
  for (const answer of answers.slice(4, 6)) answer(late);
  await until(() => bench.health(1) === "unhealthy");
  await until(() => bench.verdicts.find("app", "127.0.0.1:1")?.checks?.failed === 4);
});

test("an endpoint is suspected while a check goes without an answer, and no longer once one is good", async () => {
  const answers: ((result: ProbeResult) => void)[] = [];
  using bench = new Bench(() => new Promise((resolve) => answers.push(resolve)));
  bench.verdicts.update([upstream([1], { ...check, timeoutMs: 10_000 })]);
  const verdict = () => bench.verdicts.find("app", "127.0.0.1:1")?.verdict;
  await until(() => answers.length === 1);
  answers[0]?.({ isGood: true, ms: 1 });
  await until(() => verdict()?.isSuspected === true);
  expect(verdict()).toMatchObject({ health: "healthy", why: "a check is not answered" });
  await until(() => answers.length === 4);
  for (const answer of answers.splice(0)) answer({ isGood: true, ms: 1 });
  await until(() => verdict()?.isSuspected === undefined);
  expect(verdict()).toMatchObject({ health: "healthy", why: "" });
});

test("a suspicion of a control process before this one is forgotten", () => {
  using bench = new Bench();
  const known = { upstream: "app", address: "127.0.0.1:1", health: "healthy", isDraining: false, since: 7 } as const;
  bench.verdicts.inherit([{ ...known, isSuspected: true }]);
  bench.verdicts.update([upstream([1], check)]);
  expect(bench.verdicts.all).toEqual([known]);
});

test("a change keeps what is known of endpoints that stay, and forgets those that go", async () => {
  using bench = new Bench();
  bench.bad.add(1);
  bench.verdicts.update([upstream([1, 2], check)]);
  await until(() => bench.told.length === 2);
  bench.verdicts.update([upstream([1], { ...check, intervalMs: 3 })]);
  expect(bench.health(1)).toBe("unhealthy");
  expect(bench.health(2)).toBeUndefined();
  expect(bench.told.at(-1)).toMatchObject({ address: "127.0.0.1:2", health: "unchecked", isDraining: false });
  expect(bench.verdicts.all.map(({ address }) => address)).toEqual(["127.0.0.1:1"]);
});

test("without checks an endpoint is unchecked, and nothing is told of it", () => {
  using bench = new Bench();
  bench.verdicts.update([upstream([1])]);
  expect(bench.health(1)).toBe("unchecked");
  expect(bench.verdicts.all).toEqual([]);
  expect(bench.told).toEqual([]);
});

test("checks that are switched off leave the endpoint unchecked", async () => {
  using bench = new Bench();
  bench.bad.add(1);
  bench.verdicts.update([upstream([1], check)]);
  await until(() => bench.health(1) === "unhealthy");
  bench.verdicts.update([upstream([1])]);
  expect(bench.told.at(-1)).toMatchObject({ health: "unchecked" });
  const { checks } = bench;
  bench.verdicts.update([upstream([1], check)]);
  await until(() => bench.health(1) === "unhealthy");
  expect(bench.checks).toBe(checks + 1);
});

test("checks of endpoints that speak TLS believe and show what traffic does, and others do not", async () => {
  const seen = new Map<number, unknown>();
  using verdicts = new EndpointVerdicts({
    log: { info() {}, warn() {}, error() {} },
    onVerdicts: () => {},
    probe: async ({ port, tls }) => {
      seen.set(port, tls);
      return { isGood: true, ms: 1 };
    },
  });
  const plain = upstream([1, 2], check);
  const [one, other] = plain.endpoints;
  const endpoints = [one, { ...other, isSecure: true }] as UpstreamSettings["endpoints"];
  const tls = {
    verify: "full",
    ca: "CA",
    serverName: "app.internal",
    certificate: "id",
    minVersion: "TLSv1.2",
  } as const;
  const pairs = [{ id: "id", cert: "CERT", key: "KEY" }];
  verdicts.update([{ ...plain, endpoints, tls }], pairs);
  await until(() => seen.size === 2);
  const wanted = { verify: "full", ca: "CA", name: "app.internal", cert: "CERT", key: "KEY" };
  expect([...seen].sort()).toEqual([
    [1, undefined],
    [2, wanted],
  ]);
});

test("an operator's drain is told once, survives a change, and can be taken back", () => {
  using bench = new Bench();
  bench.verdicts.update([upstream([1])]);
  expect(bench.verdicts.drain("app", "127.0.0.1:1", "begin")).toMatchObject({ isDraining: true });
  bench.verdicts.drain("app", "127.0.0.1:1", "begin");
  bench.verdicts.update([upstream([1, 2])]);
  expect(bench.verdicts.all).toMatchObject([{ address: "127.0.0.1:1", isDraining: true }]);
  expect(bench.verdicts.drain("app", "127.0.0.1:1", "undo")).toMatchObject({ isDraining: false });
  expect(bench.told.map(({ isDraining }) => isDraining)).toEqual([true, false]);
  expect(bench.events).toEqual(["endpoint-draining", "endpoint-undrained"]);
});

test("what workers knew before holds for endpoints that are still there, and no check has to find it again", async () => {
  using bench = new Bench();
  const known = { upstream: "app", health: "unhealthy", isDraining: true, since: 7, why: "refused" } as const;
  bench.bad.add(1);
  bench.verdicts.inherit([
    { ...known, address: "127.0.0.1:1" },
    { ...known, address: "127.0.0.1:2" },
    { ...known, address: "127.0.0.1:9" },
  ]);
  bench.verdicts.update([upstream([1, 2, 3], check)]);
  expect(bench.verdicts.all.map(({ address, since }) => [address, since])).toEqual([
    ["127.0.0.1:1", 7],
    ["127.0.0.1:2", 7],
  ]);
  await until(() => bench.health(2) === "healthy" && bench.health(3) === "healthy");
  expect(bench.verdicts.find("app", "127.0.0.1:2")?.checks?.good).toBeGreaterThanOrEqual(2);
  expect(bench.verdicts.find("app", "127.0.0.1:2")?.verdict.isDraining).toBe(true);
  expect(bench.told.filter(({ address }) => address === "127.0.0.1:1")).toEqual([]);
  bench.verdicts.update([upstream([1])]);
  expect(bench.health(1)).toBe("unchecked");
});

test("an endpoint that does not exist cannot be drained", () => {
  using bench = new Bench();
  bench.verdicts.update([upstream([1])]);
  expect(bench.verdicts.drain("app", "127.0.0.1:9", "begin")).toBeUndefined();
  expect(bench.verdicts.drain("other", "127.0.0.1:1", "begin")).toBeUndefined();
});
