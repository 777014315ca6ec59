import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

/** What the figures were measured on. */
export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
  readonly kernel: string;
  readonly bun: string;
};

/** The two cores a benchmark uses: one for the proxy under test, one for load and echo server. */
export type Cores = { readonly proxy: number; readonly load: number };

/** Describes this machine. */
export function describeMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    memory: totalmem(),
    kernel: `Linux ${release()}`,
    bun: Bun.version,
  };
}

/** The first two cores that this process may run on; undefined where there is only one. */
export function chooseCores(): Cores | undefined {
  const [proxy, load] = allowedCores();
  return proxy === undefined || load === undefined ? undefined : { proxy, load };
}

/** The cores that this process may run on. */
export function allowedCores(): readonly number[] {
  return coresIn(/^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "");
}

/** The numbers in a list of cores as the kernel writes it, such as `0-2,7`. */
export function coresIn(list: string): readonly number[] {
  return list.split(",").flatMap((range) => {
    const [first, last = first] = range === "" ? [] : range.split("-").map(Number);
    if (first === undefined || last === undefined) return [];
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** How many descriptors a process may be given at most (the hard limit). */
export function descriptorLimit(): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  return hard === undefined || hard === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(hard);
}
