import { makeFrame, someMask } from "../support/frames.ts";
import { handshake } from "../support/handshake.ts";
import type { Findings } from "./load.ts";

/** Bytes of a message. */
const size = 200;

/** Who hears of a client: what went wrong, and how long its messages took to come back (ms). */
export type ClientRecord = { readonly findings: Findings; readonly times: number[] };

/** A WebSocket client whose echo is compared byte by byte, with as little work as can be: thousands share one process with their measurement. */
export class CheckedClient {
  readonly #record: ClientRecord;
  #socket: Bun.Socket<CheckedClient> | undefined;
  #received: Buffer = Buffer.alloc(0);
  #expected: Buffer = Buffer.alloc(0);
  #sentAt = 0;
  #isOpen = false;
  #isLeaving = false;

  constructor(record: ClientRecord) {
    this.#record = record;
  }

  /** Open, and nothing is on its way. */
  get isIdle(): boolean {
    return this.#isOpen && this.#expected.length === 0;
  }

  async open(port: number, path: string): Promise<this> {
    this.#socket = await Bun.connect({ hostname: "127.0.0.1", port, data: this, socket: events });
    this.#socket.write(handshake({ target: path }));
    return this;
  }

  /** Sends random bytes, unless the last ones have not come back yet. */
  send(): void {
    if (!this.isIdle) return;
    const payload = crypto.getRandomValues(new Uint8Array(size));
    this.#expected = makeFrame({ opcode: 2, payload });
    this.#sentAt = performance.now();
    this.#socket?.write(makeFrame({ opcode: 2, payload, mask: someMask }));
  }

  leave(): void {
    this.#isLeaving = true;
    this.#socket?.end();
  }

  take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    if (!this.#isOpen) this.#readHead();
    if (this.#received.length < this.#expected.length || this.#received.length === 0) return;
    if (!this.#received.equals(this.#expected)) this.#record.findings.add("other bytes came back than were sent");
    this.#record.times.push(performance.now() - this.#sentAt);
    this.#received = this.#expected = Buffer.alloc(0);
  }

  gone(): void {
    if (!this.#isLeaving) this.#record.findings.add(this.#isOpen ? "a session ended" : "a handshake was not answered");
    this.#isLeaving = true;
  }

  #readHead(): void {
    const end = this.#received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const status = this.#received.toString("latin1", 9, 12);
    if (status !== "101") this.#record.findings.add(`a handshake was answered with ${status}`);
    this.#isOpen = true;
    this.#received = this.#received.subarray(end + 4);
  }
}

const events: Bun.SocketHandler<CheckedClient> = {
  data: (socket, bytes) => socket.data.take(bytes),
  close: (socket) => socket.data.gone(),
  end: (socket) => socket.data.gone(),
  error: (socket) => socket.data.gone(),
};
