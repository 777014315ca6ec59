import { readdirSync, readFileSync } from "node:fs";

/** Resident memory of a process (bytes). */
export function residentMemory(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
}

/** How many descriptors a process has open. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** CPU time a process has used (ms). */
export function cpuTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** The largest value that was seen while something went on, looked at every few milliseconds. */
export async function highest(read: () => number, work: Promise<unknown>): Promise<number> {
  let most = read();
  const looking = setInterval(() => {
    most = Math.max(most, read());
  }, 10);
  try {
    await work;
  } finally {
    clearInterval(looking);
  }
  return Math.max(most, read());
}
