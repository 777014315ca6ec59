import { readFileSync, readlinkSync } from "node:fs";

/** Text that tells this process from every other one, also from a later one with the same number. */
export function markOfSelf(): string {
  return markOf(process.pid);
}

/** The same for a process that this one has started. */
export function markOf(pid: number): string {
  return `${pid} ${startOf(pid)?.startedAt ?? ""} ${pidNamespace()}`;
}

/** The mark of a process that is dead, though this one has its number. */
export function markOfNobody(): string {
  return `${process.pid} 0 ${pidNamespace()}`;
}

/** The number of the process that made a mark, or undefined if it is no mark. */
export function pidOf(mark: string): number | undefined {
  const [pid = ""] = mark.split(" ");
  return /^[1-9]\d*$/.test(pid) ? Number(pid) : undefined;
}

/** False once the process that made a mark is dead. One that cannot be seen from here, since it runs in another container, counts as alive. */
export function isAlive(mark: string): boolean {
  const pid = pidOf(mark);
  const [, startedAt = "", namespace = ""] = mark.split(" ");
  if (pid === undefined || namespace !== pidNamespace()) return true;
  const found = startOf(pid);
  // Without /proc a number that was given to another process looks alive.
  if (found === undefined) return namespace === "" && answersSignals(pid);
  return found.startedAt === startedAt && found.state !== "Z" && found.state !== "X";
}

function answersSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** State and start time (ticks since boot) of a process: proc(5), /proc/pid/stat. The name before them may hold anything. */
function startOf(pid: number): { readonly state: string; readonly startedAt: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", startedAt: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

/** Empty where there are none. */
function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}
