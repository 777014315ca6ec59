import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sharedFileName } from "../../core/worker-protocol.ts";
import { type Guest, guestsOf, OwnedFolder, removeOrphan, removeOrphans } from "../../kit/owned-folder.ts";

/** Bytes that a Unix socket's path may have, on the stingiest system. */
const longestPath = 100;
const prefix = "causeway-";
const socketName = "control.sock";
/** Says which gateway a folder is of. */
const identityFile = "gateway";

/** Where control process and workers meet: a folder that only this user can enter. */
export class RuntimeFolder implements AsyncDisposable {
  /** The workers that a killed control process of the same gateway has left, and that serve on. */
  readonly survivors: readonly Guest[];
  readonly #folder: OwnedFolder;
  /** Removes what killed gateways have left. */
  readonly #sweeping: Promise<unknown>;

  private constructor(folder: OwnedFolder, survivors: readonly Guest[]) {
    this.#folder = folder;
    this.survivors = survivors;
    this.#sweeping = Promise.all(possibleParents().map((parent) => removeOrphans(parent, prefix)));
  }

  /**
   * Takes over the folder of a gateway of this `identity` whose control process is dead and whose workers are not, or makes a new one.
   * Without an identity it is always a new one, and nobody takes it over.
   */
  static open(identity: string | undefined): RuntimeFolder {
    for (const path of identity === undefined ? [] : foldersOf(identity)) {
      if (removeOrphan(path)) continue;
      const taken = OwnedFolder.takeOver(path);
      if (taken !== undefined) return new RuntimeFolder(taken, guestsOf(path));
    }
    const folder = makeFolder();
    if (identity !== undefined) writeFileSync(join(folder.path, identityFile), identity);
    return new RuntimeFolder(folder, []);
  }

  get path(): string {
    return this.#folder.path;
  }

  get socketPath(): string {
    return join(this.path, socketName);
  }

  /** The file that all workers map. */
  get sharedPath(): string {
    return join(this.path, sharedFileName);
  }

  /** The folder stays for the workers when this process ends. */
  leave(): void {
    this.#folder.leave();
  }

  /** The folder stays, and the next control process may come at once. */
  async giveUp(): Promise<void> {
    await this.#sweeping;
    this.#folder.giveUp();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sweeping;
    this.#folder[Symbol.dispose]();
  }
}

/** All folders of gateways of this identity, whether they live or not. */
function foldersOf(identity: string): readonly string[] {
  return possibleParents().flatMap((parent) => {
    const names = readNames(parent).filter((name) => name.startsWith(prefix));
    return names.map((name) => join(parent, name)).filter((path) => readIdentity(path) === identity);
  });
}

function readNames(parent: string): readonly string[] {
  try {
    return readdirSync(parent);
  } catch {
    return [];
  }
}

/** Undefined where there is none, or where somebody else's folder cannot be read. */
function readIdentity(path: string): string | undefined {
  try {
    return readFileSync(join(path, identityFile), "utf8");
  } catch {
    return undefined;
  }
}

function makeFolder(): OwnedFolder {
  const parents = possibleParents();
  for (const parent of parents) {
    try {
      return OwnedFolder.make(parent, prefix);
    } catch (error) {
      // Not ours to write in; the next one may be.
      if (parent === parents.at(-1)) throw error;
    }
  }
  throw new Error("there is no folder for temporary files");
}

/** The user's runtime folder, the one for temporary files, and /tmp: those that are not too long for a socket. */
function possibleParents(): readonly string[] {
  const known = new Set([process.env.XDG_RUNTIME_DIR, tmpdir(), "/tmp"]);
  return [...known].filter(
    (parent): parent is string => !!parent && parent.length + `/${prefix}XXXXXX/${socketName}`.length <= longestPath,
  );
}
