import { describe, expect, test } from "bun:test";
import { idleWsScenario } from "../scenarios/idle.ts";
import { summarize } from "./results.ts";
import { handshakeScenario, memorySample, run, trafficSample, wsScenario } from "./samples.ts";

describe("ratios", () => {
  test("a ratio is the median of ours by the median of theirs", () => {
    const runs = [10, 12, 50].map((cpuMicros) => run("causeway", { cpuMicros }));
    const others = [20, 24, 30].map((cpuMicros) => run("nginx", { cpuMicros }));
    expect(summarize(wsScenario, [...runs, ...others], []).ratios).toEqual([
      { against: "nginx", value: 0.5, target: 1.15, isMet: true },
    ]);
  });

  test.each([
    [11.5, true],
    [11.6, false],
  ])("where less is better, ours at %p against 10 meets a target of 1.15: %p", (cpuMicros, isMet) => {
    const result = summarize(wsScenario, [run("causeway", { cpuMicros }), run("nginx", { cpuMicros: 10 })], []);
    expect(result.ratios[0]?.isMet).toBe(isMet);
  });

  test("where more is better, a target is met from it on upwards", () => {
    const runs = [
      run("causeway", { cpuMicros: 150 }),
      run("nginx", { cpuMicros: 100 }),
      run("haproxy", { cpuMicros: 80 }),
    ];
    const [nginx, haproxy] = summarize(handshakeScenario, runs, []).ratios;
    expect(nginx).toMatchObject({ target: 0.65, isMet: true });
    expect(haproxy).toMatchObject({ target: 0.6, isMet: false });
  });

  test("a proxy without a target has a ratio all the same, and the run without proxy has none", () => {
    const runs = [run("causeway", { cpuMicros: 10 }), run("envoy", { cpuMicros: 40 }), run("direct", { cpuMicros: 0 })];
    expect(summarize(wsScenario, runs, []).ratios).toEqual([{ against: "envoy", value: 0.25 }]);
  });
});

describe("validity", () => {
  test("a run with errors is left out of the median and told about", () => {
    const broken = run("causeway", { cpuMicros: 1, failures: [{ what: "session lost", count: 3 }] });
    const result = summarize(wsScenario, [broken, run("causeway", { cpuMicros: 10 })], []);
    expect(result.outcomes[0]?.value).toBe(10);
    expect(result.notes).toEqual(["A run of causeway is invalid and left out: session lost (3)."]);
  });

  test("a proxy with no valid run has no outcome", () => {
    const broken = run("nginx", { failures: [{ what: "session lost", count: 3 }] });
    expect(summarize(wsScenario, [broken], []).outcomes).toEqual([]);
  });
});

describe("notes", () => {
  test("a full core under the load while the proxy has time left is told", () => {
    const result = summarize(wsScenario, [run("nginx", { loadCore: 0.98, proxyCore: 0.8 })], []);
    expect(result.notes[0]).toStartWith(
      "The load limited nginx: the load's core was at 98 % and that of nginx at 80 %.",
    );
  });

  test("two full cores need no note", () => {
    expect(summarize(wsScenario, [run("nginx", { loadCore: 0.98, proxyCore: 0.97 })], []).notes).toEqual([]);
  });

  test("other processes on the two cores and runs that lie apart are told", () => {
    expect(summarize(wsScenario, [run("nginx", { foreignCore: 0.2 })], []).notes[0]).toContain("took 20 % of a core");
    const runs = [run("nginx", { cpuMicros: 10 }), run("nginx", { cpuMicros: 12 })];
    expect(summarize(wsScenario, runs, []).notes).toEqual(["The runs of nginx lie 18 % apart."]);
  });
});

test("memory is summed up like traffic, figure by figure", () => {
  const runs = [4000, 5000, 9000].map((bytesPerSession) => ({
    proxy: "causeway" as const,
    sample: memorySample(bytesPerSession),
  }));
  const result = summarize(idleWsScenario, runs, ["a remark"]);
  expect(result.outcomes[0]).toMatchObject({ value: 5000, medians: { kind: "memory", bytesPerSession: 5000 } });
  expect(result.notes[0]).toBe("a remark");
  expect(trafficSample({}).kind).toBe("traffic");
});
