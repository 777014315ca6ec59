import { residentBytesOf, type WatchedProcess } from "../measure/processes.ts";
import type { MemorySample } from "../measure/sample.ts";
import type { Rig } from "../run/rig.ts";
import type { Scenario } from "./scenario.ts";

const sessions = 5000;
/** So many come and go before, for everything that is loaded or built only when it is needed first. */
const forerunners = 1000;
const settleMs = 1000;

/** What 5,000 sessions cost in memory that have echoed one message each and are silent since. */
export const idleScenario: Scenario = {
  name: "idle-5000",
  title: "Memory per idle session, 5,000 sessions",
  operation: "session",
  loadScript: "ws-load.ts",
  payloadBytes: 64,
  connections: sessions,
  headline: {
    title: "resident memory",
    unit: "bytes",
    better: "lower",
    of: (sample) => (sample.kind === "memory" ? sample.bytesPerSession : Number.NaN),
  },
  targets: { nginx: 0.45, haproxy: 1.5 },
  isMeasuredDirectly: false,
  measure,
};

async function measure(rig: Rig): Promise<MemorySample> {
  await rig.load.obey({ do: "open", count: forerunners });
  await rig.load.obey({ do: "close" });
  const before = await settled(rig.watched);
  await rig.load.obey({ do: "open", count: sessions });
  const after = await settled(rig.watched);
  const { failures } = await rig.load.obey({ do: "close" });
  return {
    kind: "memory",
    sessions,
    bytesPerSession: (after.all - before.all) / sessions,
    workerBytesPerSession: (after.workers - before.workers) / sessions,
    bytesBefore: before.all,
    bytesAfter: after.all,
    failures,
  };
}

async function settled(
  watched: readonly WatchedProcess[],
): Promise<{ readonly all: number; readonly workers: number }> {
  await Bun.sleep(settleMs);
  const bytes = (role: WatchedProcess["role"]) =>
    watched.filter((each) => each.role === role).reduce((sum, { pid }) => sum + residentBytesOf(pid), 0);
  return { all: bytes("worker") + bytes("control"), workers: bytes("worker") };
}
