import { readdirSync, readFileSync } from "node:fs";
import type { RunningGateway } from "./running-gateway.ts";

/** The worker processes of one gateway, whether its control process knows them or not. */
export class WorkerProcesses {
  /** Where they call, which every one of them is told. */
  readonly #socket: string;

  /** Of a gateway that has just started. */
  constructor(gateway: RunningGateway) {
    const known = argumentsOf(gateway.ready.workerPid);
    const at = known.indexOf("--control");
    if (at < 0) throw new Error("the worker has ended already");
    this.#socket = known[at + 1] ?? "";
  }

  /** The numbers of those that live. */
  get alive(): readonly number[] {
    const numbers = readdirSync("/proc").map(Number).filter(Number.isInteger);
    return numbers.filter((pid) => argumentsOf(pid).includes(this.#socket));
  }
}

/** Empty for a process that has ended. */
function argumentsOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}
