import { readFileSync } from "node:fs";
import { SharedMemory } from "../kit/shared-memory.ts";

/** Maps the file that all workers share. `clock` is what this process's monotonic clock says now (ms). */
export function mapMemory(file: { readonly path: string; readonly region: number }, clock: number): SharedMemory {
  const bytes = Bun.mmap(file.path, { shared: true });
  return SharedMemory.of(bytes, { region: file.region, clockOffsetMs: commonClock() - clock });
}

/**
 * A clock that is the same in all processes of the machine (ms): the time since it was started, which nobody sets, to a hundredth of
 * a second. Where there is none, the time of day has to do.
 */
function commonClock(): number {
  try {
    return Number.parseFloat(readFileSync("/proc/uptime", "latin1")) * 1000;
  } catch {
    return Date.now();
  }
}
