import { residentBytesOf, type WatchedProcess } from "../measure/processes.ts";
import type { MemorySample } from "../measure/sample.ts";
import type { Rig } from "../run/rig.ts";
import type { Scenario } from "./scenario.ts";

/** Idle is what has been so for a while: allocators and collectors have given back by then what they will (ms). */
const settleMs = 6000;

type Parts = Pick<Scenario, "name" | "title" | "connections" | "tls" | "targets"> & {
  /**
   * So many sessions come and go before, for everything that is loaded or built only when it is needed first. Few beside those that
   * are weighed: what an allocator keeps of them is not counted.
   */
  readonly forerunners: number;
};

type Weighed = { readonly sessions: number; readonly forerunners: number };

/** What sessions cost in memory that have echoed one message each and are silent since. */
function idleScenario({ connections: sessions, forerunners, ...parts }: Parts): Scenario {
  return {
    ...parts,
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
    isMeasuredDirectly: false,
    measurement: { kind: "alone", measure: (rig) => measure(rig, { sessions, forerunners }) },
  };
}

/** Idle sessions in the clear. */
export const idleWsScenario: Scenario = idleScenario({
  name: "idle-5000",
  title: "Memory per idle session, 5,000 sessions",
  connections: 5000,
  forerunners: 1000,
  targets: { nginx: 0.45, haproxy: 1.5 },
});

/** Idle sessions over TLS. */
export const idleWssScenario: Scenario = idleScenario({
  name: "idle-wss-2000",
  title: "Memory per idle session over TLS, 2,000 sessions",
  connections: 2000,
  forerunners: 100,
  tls: "full",
  targets: { nginx: 0.25, haproxy: 0.5 },
});

async function measure(rig: Rig, { sessions, forerunners }: Weighed): Promise<MemorySample> {
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
