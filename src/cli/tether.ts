import { after } from "../kit/sleep.ts";

// Longer than the demo's gateway takes to close its sessions.
const GRACE_MS = 4_000;

/**
 * `causeway tether <program> <argument>…`: runs a program for as long as its own stdin stays open, and resolves to the
 * program's exit code. Who starts it with a pipe as stdin can be killed in any way, and the program still ends.
 */
export async function tether(args: readonly string[]): Promise<number> {
  if (args.length === 0) {
    process.stderr.write("usage: causeway tether <program> <argument>…\n");
    return 2;
  }
  const child = Bun.spawn([...args], { stdin: "ignore", stdout: "inherit", stderr: "inherit" });
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
  return code;
}
