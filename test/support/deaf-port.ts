import { connect, type Socket } from "node:net";
import { within } from "../../src/kit/sleep.ts";

/** How long a connection to this machine may take that is going to come up (ms). */
const quickMs = 250;

/** A port whose process is stopped and whose queue is full: a connection to it neither comes up nor fails. */
export class DeafPort implements AsyncDisposable {
  readonly port: number;
  readonly #process: Bun.Subprocess;
  readonly #sockets: readonly Socket[];

  private constructor(port: number, process: Bun.Subprocess, sockets: readonly Socket[]) {
    this.port = port;
    this.#process = process;
    this.#sockets = sockets;
  }

  static async open(host = "127.0.0.1"): Promise<DeafPort> {
    const program = `console.log(Bun.listen({ hostname: "${host}", port: 0, socket: { data() {} } }).port)`;
    const child = Bun.spawn([process.execPath, "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    const { value } = await child.stdout.getReader().read();
    const port = Number(new TextDecoder().decode(value));
    child.kill("SIGSTOP");
    const sockets: Socket[] = [];
    for (let isFull = false; !isFull; ) {
      const batch = Array.from({ length: 64 }, () => connect({ port, host }));
      sockets.push(...batch);
      const opened = batch.map(
        (socket) => new Promise<boolean>((resolve) => socket.once("connect", () => resolve(true))),
      );
      for (const socket of batch) socket.on("error", () => {});
      isFull = !(await within(
        Promise.all(opened).then(() => true),
        quickMs,
        false,
      ));
      if (sockets.length > 8192) throw new Error("the queue does not fill");
    }
    return new DeafPort(port, child, sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }
}
