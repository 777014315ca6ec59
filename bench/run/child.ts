import { closeSync, openSync, readFileSync } from "node:fs";
import type { Subprocess } from "bun";
import { descriptorLimit } from "../measure/machine.ts";
import { startTicksOf, treeOf } from "../measure/processes.ts";
import { onTheWayOut } from "./leftovers.ts";

/** Where and how to start a process. */
export type Placement = {
  /** One core, or several as a list such as `0,1`. */
  readonly core: number | string;
  /** What it prints goes to this file. */
  readonly logFile: string;
  readonly folder: string;
  readonly onMessage?: (message: unknown) => void;
};

// More than this helps nobody here, and some programs keep a table as long as the limit.
const mostDescriptors = 65_536;

/** A process pinned to a core or to some. It ends with its children, at the latest when this process does. */
export class Child implements AsyncDisposable {
  readonly #process: Subprocess;
  readonly #logFile: string;
  readonly #wayOut: Disposable;
  /** When they started, by pid: a number that the kernel has given to somebody else since is left alone. */
  readonly #adopted = new Map<number, number>();

  private constructor(process: Subprocess, logFile: string) {
    this.#process = process;
    this.#logFile = logFile;
    this.#wayOut = onTheWayOut(() => this.#kill());
  }

  /** Starts `command` on one core, with as many descriptors as the hard limit allows. */
  static start(command: readonly string[], { core, logFile, folder, onMessage }: Placement): Child {
    const log = openSync(logFile, "a");
    const descriptors = Math.min(descriptorLimit(), mostDescriptors);
    const process = Bun.spawn(
      ["sh", "-c", `ulimit -n ${descriptors}; exec taskset -c ${core} "$@"`, "sh", ...command],
      {
        cwd: folder,
        stdio: ["ignore", log, log],
        ...(onMessage === undefined ? {} : { ipc: onMessage }),
      },
    );
    closeSync(log);
    return new Child(process, logFile);
  }

  get pid(): number {
    return this.#process.pid;
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** The last lines it printed. */
  get lastWords(): string {
    return readFileSync(this.#logFile, "utf8").trimEnd().split("\n").slice(-3).join(" | ");
  }

  send(message: unknown): void {
    this.#process.send(message);
  }

  /** Has a process end together with this one, even if this one has ended before and is its parent no more. */
  adopt(pid: number): void {
    const startedAt = startTicksOf(pid);
    if (startedAt !== undefined) this.#adopted.set(pid, startedAt);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill();
    this.#wayOut[Symbol.dispose]();
    await this.#process.exited;
  }

  /** At once: when it is called nothing is measured any more, and a drain would only take time. */
  #kill(): void {
    const adopted = Array.from(this.#adopted).filter(([pid, startedAt]) => startTicksOf(pid) === startedAt);
    const all = new Set([...(this.hasEnded ? [] : treeOf(this.pid)), ...adopted.map(([pid]) => pid)]);
    for (const pid of all) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone between the look at /proc and the signal.
      }
    }
  }
}
