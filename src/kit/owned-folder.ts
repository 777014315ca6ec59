import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isAlive, markOfNobody, markOfSelf } from "./process-mark.ts";

/** The file that says whose a folder is, and how the names of those begin that say who else uses it. */
const ownerFile = "owner";
const guestPrefix = "guest-";

/**
 * A folder for temporary files that only this user can enter and that belongs to this process. It goes with its owner; what a killed
 * owner has left behind is removed by whoever calls `removeOrphans` or `removeOrphan` next, as soon as its guests are dead too.
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
    writeFileSync(join(path, ownerFile), markOfSelf());
    return new OwnedFolder(path);
  }

  /** Becomes the owner of a folder whose owner is dead; undefined if it is not there, or somebody else was faster. */
  static takeOver(path: string): OwnedFolder | undefined {
    const [file, taken] = [join(path, ownerFile), join(path, `${ownerFile}-before-${process.pid}`)];
    try {
      if (!isOurs(path) || isAlive(readFileSync(file, "utf8"))) return undefined;
      renameSync(file, taken);
      // Between looking and taking, somebody else may have become its owner.
      if (isAlive(readFileSync(taken, "utf8"))) {
        renameSync(taken, file);
        return undefined;
      }
      writeFileSync(file, markOfSelf());
      rmSync(taken);
      return new OwnedFolder(path);
    } catch {
      return undefined;
    }
  }

  /** The folder stays when this process ends. */
  leave(): void {
    process.off("exit", this.#removeAtExit);
  }

  /** The folder stays and waits for another owner, which may be this very process as another program. */
  giveUp(): void {
    this.leave();
    writeFileSync(join(this.path, ownerFile), markOfNobody());
  }

  [Symbol.dispose](): void {
    this.leave();
    removeFolder(this.path);
  }
}

/** A process that uses a folder of another one. `mark` tells whether it lives, see `isAlive`. */
export type Guest = { readonly name: string; readonly mark: string };

/** Says that this process uses a folder; the newest guest of a name counts. */
export function visitFolder(path: string, name: string): void {
  writeFileSync(join(path, `${guestPrefix}${name}`), markOfSelf());
}

/** Takes back what `visitFolder` has said, unless another process says the same by now. */
export function quitFolder(path: string, name: string): void {
  const file = join(path, `${guestPrefix}${name}`);
  if (existsSync(file) && readFileSync(file, "utf8") === markOfSelf()) rmSync(file);
}

/** The guests of a folder that are alive. */
export function guestsOf(path: string): readonly Guest[] {
  const names = readdirSync(path).filter((name) => name.startsWith(guestPrefix));
  const guests = names.map((name) => ({
    name: name.slice(guestPrefix.length),
    mark: readFileSync(join(path, name), "utf8"),
  }));
  return guests.filter(({ mark }) => isAlive(mark));
}

/** Removes the folders below `parent` whose names begin with `prefix` and whose owners and guests are dead. Never throws. */
export async function removeOrphans(parent: string, prefix: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) if (name.startsWith(prefix)) removeOrphan(join(parent, name));
}

/** Removes a folder if its owner and its guests are dead, and says whether there is none any more. Never throws. */
export function removeOrphan(path: string): boolean {
  try {
    if (!isOurs(path) || isAlive(readFileSync(join(path, ownerFile), "utf8"))) return false;
    if (guestsOf(path).length > 0) return false;
    removeFolder(path);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" && !existsSync(path);
  }
}

function isOurs(path: string): boolean {
  const stats = lstatSync(path);
  return stats.isDirectory() && stats.uid === process.getuid?.();
}

function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
