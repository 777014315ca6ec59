import { removeOrphan } from "../kit/owned-folder.ts";
import { after } from "../kit/sleep.ts";

// Longer than the demo's gateway takes to close its sessions.
const GRACE_MS = 4_000;

/**
 * `causeway tether <folder> <program> <argument>…`: runs a program for as long as its own stdin stays open, and resolves to the
 * program's exit code. Who starts it with a pipe as stdin can be killed in any way, and the program still ends; a folder of such a
 * starter is then removed.
 */
export async function tether(args: readonly string[]): Promise<number> {
  const [folder, ...command] = args;
  if (folder === undefined || command.length === 0) {
    process.stderr.write("usage: causeway tether <folder> <program> <argument>…\n");
    return 2;
  }
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "inherit", stderr: "inherit" });
  let isEnding = false;
  const end = () => {
    if (isEnding) return;
    isEnding = true;
    child.kill("SIGTERM");
    const cancel = after(GRACE_MS, () => child.kill("SIGKILL"));
    child.exited.then(cancel, cancel);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, end);
  process.stdin.once("end", end).once("error", end).resume();
  const code = await child.exited;
  // An open stdin would keep the process alive.
  process.stdin.destroy();
  removeOrphan(folder);
  return code;
}
