import { expect, test } from "bun:test";
import { until } from "../../../test/support/until.ts";
import { EndpointCheck } from "./endpoint-check.ts";
import type { ProbeResult } from "./probe.ts";

const good: ProbeResult = { isGood: true, ms: 1 };
const intervalMs = 1000;

/** Checks an endpoint whose answers come from `probe`, which hears how many there were before. */
function checkBy(probe: (before: number) => Promise<ProbeResult>) {
  const suspicions: number[] = [];
  const begun: number[] = [];
  const check = new EndpointCheck({
    host: "127.0.0.1",
    port: 1,
    settings: { probe: { type: "tcp" }, intervalMs, timeoutMs: 5000, healthy: 3, unhealthy: 3 },
    probe: () => probe(begun.push(performance.now()) - 1),
    onFinding: () => {},
    onSuspicion: (why) => why !== undefined && suspicions.push(performance.now()),
    health: "healthy",
  });
  return { check: check.start(), suspicions, begun };
}

test("an endpoint that stands still after a good check is suspected before the next interval is over", async () => {
  const never = new Promise<ProbeResult>(() => {});
  const { check, suspicions, begun } = checkBy(async (before) => (before === 0 ? good : await never));
  using _check = check;
  await until(() => suspicions.length === 1);
  // A timer may be late on a busy machine; half an interval of patience would make 1,300 ms at least.
  expect((suspicions[0] ?? 0) - (begun[0] ?? 0)).toBeLessThan(intervalMs * 1.2);
});

test("one that always takes its time is not suspected for it", async () => {
  const slow = async (): Promise<ProbeResult> => {
    await Bun.sleep(180);
    return { isGood: true, ms: 180 };
  };
  const { check, suspicions, begun } = checkBy(async (before) => (before === 0 ? { ...good, ms: 180 } : await slow()));
  using _check = check;
  await until(() => begun.length === 4, 6000);
  expect(suspicions).toEqual([]);
}, 8000);
