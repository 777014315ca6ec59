import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** The file that says whose a folder is. */
const ownerFile = "owner";

/**
 * A folder for temporary files that only this user can enter and that belongs to this process. It goes with its owner; what a killed
 * owner has left behind is removed by whoever calls `removeOrphans` or `removeOrphan` next.
 */
export class OwnedFolder implements Disposable {
  readonly path: string;
  readonly #removeAtExit = (): void => removeFolder(this.path);

  private constructor(path: string) {
    this.path = path;
    process.on("exit", this.#removeAtExit);
  }

  /** Makes `<parent>/<prefix>XXXXXX`. Throws if that is not possible. */
  static make(parent: string, prefix: string): OwnedFolder {
    const path = mkdtempSync(join(parent, prefix));
    writeFileSync(join(path, ownerFile), `${process.pid} ${startOf(process.pid)?.startedAt ?? ""} ${pidNamespace()}`);
    return new OwnedFolder(path);
  }

  [Symbol.dispose](): void {
    process.off("exit", this.#removeAtExit);
    removeFolder(this.path);
  }
}

/** Removes the folders below `parent` whose names begin with `prefix` and whose owners are dead. Never throws. */
export async function removeOrphans(parent: string, prefix: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) if (name.startsWith(prefix)) removeOrphan(join(parent, name));
}

/** Removes a folder if its owner is dead, and says whether there is none any more. Never throws. */
export function removeOrphan(path: string): boolean {
  try {
    const stats = lstatSync(path);
    if (!stats.isDirectory() || stats.uid !== process.getuid?.()) return false;
    if (isAlive(readFileSync(join(path, ownerFile), "utf8"))) return false;
    removeFolder(path);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" && !exists(path);
  }
}

function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Whoever cannot be seen from here, since it runs in another container, counts as alive. */
function isAlive(owner: string): boolean {
  const [pid = "", startedAt = "", namespace = ""] = owner.split(" ");
  if (!/^[1-9]\d*$/.test(pid) || namespace !== pidNamespace()) return true;
  const found = startOf(Number(pid));
  // Without /proc a number that was given to another process looks alive, and its folder stays.
  if (found === undefined) return namespace === "" && answersSignals(Number(pid));
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
