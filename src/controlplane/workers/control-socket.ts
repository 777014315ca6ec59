import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Bytes that a Unix socket's path may have, on the stingiest system. */
const longestPath = 100;

/** The Unix socket on which workers call, in a folder that only this user can enter. */
export class ControlSocket implements AsyncDisposable {
  readonly path: string;
  readonly #folder: string;
  readonly #server: Server;
  readonly #removeAtExit = (): void => rmSync(this.#folder, { recursive: true, force: true });

  private constructor(folder: string, path: string, server: Server) {
    this.#folder = folder;
    this.path = path;
    this.#server = server;
  }

  /** Makes the folder and listens; `onSocket` gets every connection. */
  static async open(onSocket: (socket: Socket) => void): Promise<ControlSocket> {
    const folder = privateFolder();
    const path = join(folder, "control.sock");
    const server = createServer({ allowHalfOpen: false }, onSocket);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
    const control = new ControlSocket(folder, path, server);
    process.on("exit", control.#removeAtExit);
    return control;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    process.off("exit", this.#removeAtExit);
    this.#removeAtExit();
  }
}

/** A new folder with mode 0700: in the user's runtime folder, in the one for temporary files, or in /tmp if those are too long. */
function privateFolder(): string {
  for (const parent of [process.env.XDG_RUNTIME_DIR, tmpdir()]) {
    if (!parent || parent.length + "/causeway-XXXXXX/control.sock".length > longestPath) continue;
    try {
      return mkdtempSync(join(parent, "causeway-"));
    } catch {
      // Not ours to write in; the next one may be.
    }
  }
  return mkdtempSync("/tmp/causeway-");
}
