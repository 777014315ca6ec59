import { chmodSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OwnedFolder, removeOrphans } from "../../kit/owned-folder.ts";

/** Bytes that a Unix socket's path may have, on the stingiest system. */
const longestPath = 100;
const prefix = "causeway-";
const socketName = "control.sock";

/** The Unix socket on which workers call, in a folder that only this user can enter. */
export class ControlSocket implements AsyncDisposable {
  readonly path: string;
  readonly #folder: OwnedFolder;
  readonly #server: Server;
  /** Removes what killed control processes have left. */
  readonly #sweeping: Promise<unknown>;

  private constructor(folder: OwnedFolder, path: string, server: Server) {
    this.#folder = folder;
    this.path = path;
    this.#server = server;
    this.#sweeping = Promise.all(possibleParents().map((parent) => removeOrphans(parent, prefix)));
  }

  /** Makes the folder and listens; `onSocket` gets every connection. */
  static async open(onSocket: (socket: Socket) => void): Promise<ControlSocket> {
    const folder = privateFolder();
    const path = join(folder.path, socketName);
    const server = createServer({ allowHalfOpen: false }, onSocket);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
    return new ControlSocket(folder, path, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await this.#sweeping;
    this.#folder[Symbol.dispose]();
  }
}

function privateFolder(): OwnedFolder {
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
