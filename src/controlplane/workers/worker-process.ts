/** A worker process that was started, as far as its supervision needs it. */
export interface WorkerProcess {
  readonly pid: number;
  /** How it ended: `exit code 1`, `signal SIGKILL`. */
  readonly ended: Promise<string>;
  kill(): void;
}

/** Starts a worker that calls the control socket at `path` and says `id`. */
export type StartWorker = (path: string, id: string) => WorkerProcess;

/** Starts workers as processes of their own: `command` is this program's command line. */
export function workerStarter(command: readonly string[]): StartWorker {
  return (path, id) => {
    const child = Bun.spawn([...command, "worker", "--control", path, "--id", id], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    const kill = (): void => child.kill("SIGKILL");
    // A worker never outlives the control process.
    process.on("exit", kill);
    void child.exited.then(() => process.off("exit", kill));
    const ended = child.exited.then((code) =>
      child.signalCode === null ? `exit code ${code}` : `signal ${child.signalCode}`,
    );
    return { pid: child.pid, ended, kill };
  };
}
