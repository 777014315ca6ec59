import { sleep } from "../../kit/sleep.ts";
import type { UpgradeOrder, UpgradeResult } from "./handover-order.ts";
import type { WorkerKeeper } from "./worker-keeper.ts";
import type { WorkerLog } from "./worker-log.ts";

/** How long a successor that has taken over may take to call (ms), and how often that is looked at. */
const successorMs = 5000;
const lookMs = 5;

/** What became of one worker. */
export type UpgradeReport = { readonly worker: string } & UpgradeResult;

/** Hands each worker over to a successor, one after the other, until one of them fails. */
export async function upgradeInTurn(
  workers: readonly WorkerKeeper[],
  order: UpgradeOrder,
  log: WorkerLog,
): Promise<readonly UpgradeReport[]> {
  const reports: UpgradeReport[] = [];
  for (const keeper of workers) {
    // A worker that lingers beside its successor has another name.
    const { id } = keeper;
    const result = await keeper.upgrade(order);
    reports.push({ worker: id, ...result });
    log.upgraded(id, result);
    if ("failed" in result) break;
    // The next one stops accepting only when this one's successor is known here.
    for (let waitedMs = 0; keeper.state === "serving" && waitedMs < successorMs; waitedMs += lookMs)
      await sleep(lookMs);
  }
  return reports;
}
