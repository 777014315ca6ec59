import { readdirSync, readFileSync } from "node:fs";

/** A process to watch, and the part it plays: `worker` serves traffic, `control` does not, `load` and `echo` are the other side. */
export type WatchedProcess = { readonly role: "worker" | "control" | "load" | "echo"; readonly pid: number };

// USER_HZ, which Linux keeps at 100 on every platform that Bun runs on.
const microsPerTick = 10_000;

/** The CPU time a process with all its threads has used so far, in microseconds, 10 ms apart; 0 where it is gone. */
export function cpuMicrosOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  return stat === undefined ? 0 : cpuMicrosIn(stat);
}

/** The CPU time, in microseconds, that a line of `/proc/<pid>/stat` tells. */
export function cpuMicrosIn(stat: string): number {
  const fields = fieldsAfterName(stat);
  return (Number(fields[11]) + Number(fields[12])) * microsPerTick;
}

/** When a process started, in ticks since boot: with its pid it names a process for good. Undefined where it is gone. */
export function startTicksOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : Number(fieldsAfterName(stat)[19]);
}

/** The resident memory of a process, in bytes; 0 where it is gone. */
export function residentBytesOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** How long the given core has been busy since boot, in microseconds, whoever it worked for; time stolen by the host included. */
export function busyMicrosOf(core: number): number {
  return busyMicrosIn(read("/proc/stat") ?? "", core);
}

/** The busy microseconds of a core in the text of `/proc/stat`. */
export function busyMicrosIn(stat: string, core: number): number {
  const line = stat.split("\n").find((line) => line.startsWith(`cpu${core} `));
  if (line === undefined) return 0;
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(" ").slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) * microsPerTick;
}

/** The process, its children, and theirs. Empty where it is gone. */
export function treeOf(pid: number): readonly number[] {
  const threads = readFolder(`/proc/${pid}/task`);
  if (threads === undefined) return [];
  const children = threads.flatMap((thread) => numbersIn(read(`/proc/${pid}/task/${thread}/children`) ?? ""));
  return [pid, ...children.flatMap(treeOf)];
}

/** The fields of a line of `/proc/<pid>/stat` from the third on: the second is the name in parentheses, which may hold spaces. */
function fieldsAfterName(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function numbersIn(text: string): readonly number[] {
  return (text.match(/\d+/g) ?? []).map(Number);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function readFolder(path: string): readonly string[] | undefined {
  try {
    return readdirSync(path);
  } catch {
    return undefined;
  }
}
