import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import type { FromSuccessor } from "../core/handover.ts";
import { guestPrefixes, sharedFileName } from "../core/worker-protocol.ts";
import { kernelLoop, type Stillness } from "../dataplane/net/kernel-loop.ts";
import { quitFolder, removeOrphan, visitFolder } from "../kit/owned-folder.ts";
import { sleep } from "../kit/sleep.ts";
import { Worker, type WorkerOptions } from "./worker.ts";

/** How long a lost control process may take to die (ms), and how often that is looked at. */
const patienceMs = 500;
const lookMs = 10;

/**
 * Timers of a worker are those of its sessions, which count in seconds: while nothing happens, a hundred looks a second are enough, and twenty
 * once nothing has happened for a second.
 */
const stillness: Stillness = { ofLateMs: 10, turns: 100, laterMs: 50 };

/** Runs a worker process until the control process lets it go. `args`: `--control <unix socket> --id <name> --region <number> [--tied] [--succeeds <pid>]`. */
export async function runWorker(args: readonly string[]): Promise<number> {
  const loop = kernelLoop();
  if (loop !== undefined) loop.stillness = stillness;
  // From the first moment: the terminal's signals reach all processes.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  const { values } = parseArgs({
    args: [...args],
    options: {
      control: { type: "string" },
      id: { type: "string" },
      region: { type: "string" },
      tied: { type: "boolean" },
      succeeds: { type: "string" },
    },
  });
  const { control, id, region, succeeds, tied: isTied = false } = values;
  if (control === undefined || id === undefined || region === undefined) {
    process.stderr.write("causeway worker is started by causeway run, with --control, --id and --region\n");
    return 2;
  }
  const folder = dirname(control);
  const guest = `${guestPrefixes.worker}${id}`;
  const memory = { path: join(folder, sharedFileName), region: Number(region) };
  const options = { control, id, memory, isTied };
  // A successor says so when it serves: until then its predecessor is the worker that the folder knows.
  if (succeeds === undefined) visitFolder(folder, guest);
  const worker = await (succeeds === undefined ? Worker.start(options) : takeOver(options, Number(succeeds)));
  if (worker === undefined) return 1;
  // Signals reach the whole group: the control process decides what they mean, as long as there is one.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => worker.terminate());
  // A fault in one exchange must not end the sessions of everybody else (AC-7.1); it is reported, and counts as a bug.
  process.on("uncaughtException", (error) => worker.fault(error));
  process.on("unhandledRejection", (error) => worker.fault(error));
  const why = await worker.ended;
  quitFolder(folder, guest);
  if (why === "control-lost") await removeWhatIsLeft(folder);
  return 0;
}

/** Undefined if that does not come about, for a reason that the predecessor is told. */
async function takeOver(options: WorkerOptions, predecessor: number): Promise<Worker | undefined> {
  try {
    return await Worker.succeed(options, predecessor);
  } catch (error) {
    const failed: FromSuccessor = { type: "failed", says: error instanceof Error ? error.message : String(error) };
    if (process.connected) process.send?.(failed);
    return undefined;
  }
}

/** A control process that was killed could not remove its folder. Its socket closes a moment before it counts as dead. */
async function removeWhatIsLeft(folder: string): Promise<void> {
  for (let waited = 0; !removeOrphan(folder) && waited < patienceMs; waited += lookMs) await sleep(lookMs);
}
