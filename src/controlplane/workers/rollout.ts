import type { ListenerStatus } from "../../core/figures.ts";
import type { Issue } from "../../core/issue.ts";
import type { Snapshot } from "../../core/snapshot.ts";
import type { SnapshotTerms } from "../../core/worker-protocol.ts";
import type { Verdict } from "./snapshot-orders.ts";
import type { WorkerKeeper } from "./worker-keeper.ts";

/** What became of a change: in force everywhere, with the ports that the kernel chose; or nowhere. */
export type RolloutResult = { readonly snapshot: Snapshot } | { readonly issues: readonly Issue[] };

/**
 * Puts a snapshot into force on all workers or on none. The first worker goes ahead in both steps: a snapshot that ends a worker
 * ends only one, and the others get the ports that it was given where the configuration leaves them to the kernel.
 */
export async function rollOut(
  snapshot: Snapshot,
  workers: readonly WorkerKeeper[],
  terms: SnapshotTerms | undefined,
): Promise<RolloutResult> {
  const [first, ...others] = workers;
  if (first === undefined) throw new Error("there is no worker to put a snapshot into force");
  const { revision } = snapshot;
  const lead = await first.orders.prepare(snapshot);
  const fixed = lead.kind === "done" ? withPorts(snapshot, lead.listeners) : snapshot;
  const prepared = [lead, ...(lead.kind === "done" ? await all(others, (worker) => worker.orders.prepare(fixed)) : [])];
  if (!prepared.every(isDone)) return letGo(revision, workers, prepared);
  const committed = await first.orders.commit(revision, terms);
  if (!isDone(committed)) return letGo(revision, workers, [committed]);
  // Whoever ends now is started again with what is in force.
  await all(others, (worker) => worker.orders.commit(revision, terms));
  return { snapshot: fixed };
}

/** A snapshot whose listeners have the ports that were bound for them, where they may have any. */
export function withPorts(snapshot: Snapshot, bound: readonly ListenerStatus[]): Snapshot {
  const listeners = snapshot.listeners.map((listener) => {
    const known = bound.find(({ name, host }) => name === listener.name && host === listener.host);
    return listener.port === 0 && known !== undefined ? { ...listener, port: known.port } : listener;
  });
  return { ...snapshot, listeners };
}

function all(
  workers: readonly WorkerKeeper[],
  act: (worker: WorkerKeeper) => Promise<Verdict>,
): Promise<readonly Verdict[]> {
  return Promise.all(workers.map(act));
}

function isDone(verdict: Verdict): boolean {
  return verdict.kind === "done";
}

function letGo(revision: number, workers: readonly WorkerKeeper[], verdicts: readonly Verdict[]): RolloutResult {
  for (const worker of workers) worker.send({ type: "abandon", revision });
  const issues = verdicts.flatMap((verdict) => issuesOf(revision, verdict));
  // Several workers that stumble over the same thing say it once.
  return { issues: issues.filter((issue, at) => issues.findIndex((other) => Bun.deepEquals(other, issue)) === at) };
}

function issuesOf(revision: number, verdict: Verdict): readonly Issue[] {
  switch (verdict.kind) {
    case "done":
      return [];
    case "refused":
      return verdict.issues;
    case "ended":
      return [lost(`a worker ended (${verdict.how}) while it put revision ${revision} into force`)];
    case "late":
      return [lost(`a worker did not answer in time what it makes of revision ${revision}`)];
  }
}

/** What ended a worker is not tried again by itself. */
export function lost(says: string): Issue {
  return { severity: "error", at: { source: "worker", path: "" }, says, try: "change the file to try again" };
}
