import type { Guest } from "../../kit/owned-folder.ts";
import { isAlive, pidOf } from "../../kit/process-mark.ts";
import { sleep } from "../../kit/sleep.ts";

/** How often it is looked whether a process that is no child of this one still lives (ms). */
const lookMs = 100;

/** A worker process, as far as its supervision needs it. */
export interface WorkerProcess {
  readonly pid: number;
  /** How it ended: `exit code 1`, `signal SIGKILL`. */
  readonly ended: Promise<string>;
  kill(): void;
  /** From now on it outlives this process. */
  leave(): void;
}

/** Where a new worker shall call, as whom, and its region of the memory that workers share. */
export type WorkerOrder = { readonly control: string; readonly id: string; readonly region: number };

/** Starts a worker. */
export type StartWorker = (order: WorkerOrder) => WorkerProcess;

/**
 * How long the allocator of a worker (mimalloc) keeps pages that nobody uses before it gives them back (ms). With its own 10 ms it gives
 * back what is fetched again at once: a GET then takes 5 to 8 % more. Idle workers are as small either way.
 */
const purgeDelay = { MIMALLOC_PURGE_DELAY: "1000" };

/**
 * Starts workers as processes of their own: `command` is this program's command line. One that is `tied` ends when this process is
 * killed, and does not wait for another one.
 */
export function workerStarter(command: readonly string[], how: { readonly isTied: boolean }): StartWorker {
  return ({ control, id, region }) => {
    const order = ["--control", control, "--id", id, "--region", String(region), ...(how.isTied ? ["--tied"] : [])];
    const child = Bun.spawn([...command, "worker", ...order], {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...purgeDelay, ...process.env },
    });
    const kill = (): void => child.kill("SIGKILL");
    // This process ends when it means to, so its workers do.
    process.on("exit", kill);
    const leave = (): void => {
      process.off("exit", kill);
      child.unref();
    };
    void child.exited.then(leave);
    const ended = child.exited.then((code) =>
      child.signalCode === null ? `exit code ${code}` : `signal ${child.signalCode}`,
    );
    return { pid: child.pid, ended, kill, leave };
  };
}

/** A worker that another control process has started; undefined if its mark is none. */
export function adoptWorker({ mark }: Guest): WorkerProcess | undefined {
  const pid = pidOf(mark);
  if (pid === undefined) return undefined;
  const stop = new AbortController();
  const kill = (): void => {
    // Its number may be another process's by now.
    if (isAlive(mark)) process.kill(pid, "SIGKILL");
  };
  // It is not this process's own, so it outlives it unless it is told otherwise.
  return { pid, ended: whenDead(mark, stop.signal), kill, leave: () => stop.abort() };
}

async function whenDead(mark: string, signal: AbortSignal): Promise<string> {
  while (isAlive(mark) && !signal.aborted) await sleep(lookMs, signal);
  return "it is gone";
}
