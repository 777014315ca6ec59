import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { removeOrphan } from "../kit/owned-folder.ts";
import { sleep } from "../kit/sleep.ts";
import { Worker } from "./worker.ts";

/** How long a lost control process may take to die (ms), and how often that is looked at. */
const patienceMs = 500;
const lookMs = 10;

/** Runs a worker process until the control process lets it go. `args`: `--control <unix socket> --id <name>`. */
export async function runWorker(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { control: { type: "string" }, id: { type: "string" } } });
  if (values.control === undefined || values.id === undefined) {
    process.stderr.write("causeway worker is started by causeway run, with --control and --id\n");
    return 2;
  }
  // Signals reach the whole group: the control process decides what they mean.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  const worker = await Worker.start({ control: values.control, id: values.id });
  // A fault in one exchange must not end the sessions of everybody else (AC-7.1); it is reported, and counts as a bug.
  process.on("uncaughtException", (error) => worker.fault(error));
  process.on("unhandledRejection", (error) => worker.fault(error));
  if ((await worker.ended) === "control-lost") await removeWhatIsLeft(dirname(values.control));
  return 0;
}

/** A control process that was killed could not remove its folder. Its socket closes a moment before it counts as dead. */
async function removeWhatIsLeft(folder: string): Promise<void> {
  for (let waited = 0; !removeOrphan(folder) && waited < patienceMs; waited += lookMs) await sleep(lookMs);
}
