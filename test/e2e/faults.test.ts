import { expect, test } from "bun:test";
import { type Holdings, holdings, leftOver, memoryBelow } from "../support/baseline.ts";
import { cells, FaultMatrix } from "../support/fault-matrix.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { siteYaml } from "../support/site-yaml.ts";
import { until } from "../support/until.ts";

const rounds = 100;
/** Trials of each cell that are under way together. */
const atOnce = 25;

/** Short times, so that what has to be waited for is short: a dead peer after 600 ms, a handshake after 1 s, a closing after 500 ms. */
const route = "timeouts: { handshake: 1s, close: 500ms }\n    keepalive: { ping: 300ms, misses: 2 }";

function faultYaml(matrix: FaultMatrix): string {
  const yaml = siteYaml({ upstreams: matrix.upstreams, route });
  return yaml.replace(
    'web: { address: "127.0.0.1:0" }',
    'web: { address: "127.0.0.1:0", timeouts: { head: 1s }, limits: { pendingPerAddress: 100000 } }',
  );
}

/** Waits until nothing is held that was not held before. */
async function settled(
  gateway: RunningGateway,
  matrix: FaultMatrix,
  how: { readonly before: Holdings; readonly deadlineMs: number },
): Promise<void> {
  let left: string[] = [];
  const isBack = async () => {
    left = leftOver(how.before, await holdings(gateway));
    await Bun.sleep(20);
    return left.length === 0 && matrix.starting === 0;
  };
  await until(isBack, how.deadlineMs).catch(() => {});
  expect(left).toEqual([]);
}

test("AC-6.1: after every fault of either side at every moment nothing is left, and nobody well-behaved hangs", async () => {
  using matrix = new FaultMatrix();
  await using gateway = await RunningGateway.open(faultYaml(matrix));
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const start = await holdings(gateway);
  for (const cell of cells) matrix.play(port, cell, 1);
  await settled(gateway, matrix, { before: start, deadlineMs: 8000 });
  matrix.clear();
  const before = await holdings(gateway);
  const imbalances: string[] = [];
  let memory = 0;
  for (let done = 0; done < rounds; done += atOnce) {
    for (const cell of cells) {
      matrix.play(port, cell, atOnce);
      const now = await holdings(gateway);
      if (now.balance !== now.sessions) imbalances.push(`${now.sessions} open, ${now.balance} by the counters`);
    }
    await settled(gateway, matrix, { before, deadlineMs: 8000 });
    expect(matrix.hanging).toEqual([]);
    for (const code of matrix.closeCodes) expect([1000, 1001, 1014, 4000]).toContain(code);
    matrix.clear();
    // Collections come when they come, so that memory goes up and down by 25 MB without growing; measured over 350 rounds.
    if (done <= rounds / 2) memory = Math.max(memory, (await holdings(gateway)).memory);
  }
  expect(imbalances).toEqual([]);
  await memoryBelow(gateway, memory * 1.1 + 4_000_000);
  expect(gateway.lines.filter((line) => line.level === "error")).toEqual([]);
  expect(gateway.event("worker-ended")).toBeUndefined();
}, 60_000);
