import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";

/** The Unix socket on which workers call. */
export class ControlSocket implements Disposable {
  readonly path: string;
  readonly #server: Server;

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  /** Listens in place of whoever did at this path before; `onSocket` gets every connection. */
  static async open(path: string, onSocket: (socket: Socket) => void): Promise<ControlSocket> {
    rmSync(path, { force: true });
    const server = createServer({ allowHalfOpen: false }, onSocket);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
    return new ControlSocket(path, server);
  }

  [Symbol.dispose](): void {
    this.#server.close();
  }
}
