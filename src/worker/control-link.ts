import { connect, type Socket } from "node:net";
import type { FromWorker, ToWorker } from "../core/worker-protocol.ts";
import { LineSplitter } from "../kit/line-splitter.ts";

/** Bytes of one line from the control process: a snapshot is the longest. */
const longestLine = 64 * 1024 * 1024;

/** The worker's end of the control socket: JSON lines both ways. */
export class ControlLink {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects to the control process; `onClose` is called once, when it is gone. */
  static async open(
    path: string,
    listener: { onMessage: (message: ToWorker) => void; onClose: () => void },
  ): Promise<ControlLink> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    // The control process is this very program, and a version that differs hangs up after `hello`.
    const lines = new LineSplitter(longestLine, (line) => listener.onMessage(JSON.parse(line) as ToWorker));
    socket.on("data", (bytes) => lines.push(typeof bytes === "string" ? Buffer.from(bytes) : bytes));
    socket.on("error", () => {});
    socket.on("close", () => listener.onClose());
    return new ControlLink(socket);
  }

  /** Bytes that the control process has not taken yet. */
  get queued(): number {
    return this.#socket.writableLength;
  }

  send(message: FromWorker): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  /** Sends what is left and ends. */
  end(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(resolve));
  }
}
