import { closeContent, makeFrame, readFrames, someMask } from "./frames.ts";

/** What a peer does wrong. */
export const faults = [
  /** Ends its direction and reads on. */
  "fin",
  /** Closes without a Close frame. */
  "vanish",
  "reset",
  /** Neither reads nor writes any more, and keeps the connection. */
  "silent",
  /** Sends a Close frame, and then reads without ever answering or ending. */
  "close-without-fin",
  /** Resets in the middle of a frame. */
  "abort",
] as const;
export type Fault = (typeof faults)[number];

const half = { client: halfFrame(true), backend: halfFrame(false) };
const closing = { client: closeFrame(true), backend: closeFrame(false) };

function halfFrame(isMasked: boolean): Buffer {
  return makeFrame({ opcode: 2, payload: Buffer.alloc(200), ...(isMasked && { mask: someMask }) }).subarray(0, 100);
}

function closeFrame(isMasked: boolean): Buffer {
  return makeFrame({ opcode: 8, payload: closeContent(4000), ...(isMasked && { mask: someMask }) });
}

/** What happens at a peer. */
export type PeerEvents = {
  onOpen?(peer: FaultPeer): void;
  /** The head of a request or response is whole. */
  onHead?(peer: FaultPeer, head: string): void;
  /** Bytes behind the head have come. */
  onBytes?(peer: FaultPeer): void;
  onClose?(peer: FaultPeer): void;
};

/**
 * One end of a connection by hand. A good one answers pings and Close frames and ends its connection when it should, until it is told
 * to do something wrong.
 */
export class FaultPeer {
  readonly role: "client" | "backend";
  readonly #socket: Bun.Socket<FaultPeer>;
  readonly #events: PeerEvents;
  #input: Buffer = Buffer.alloc(0);
  #hasHead = false;
  #isBad = false;
  #hasSentClose = false;
  isClosed = false;
  /** Codes of the Close frames that came; a Close without a code is 0 here, because 1005 must never be on the wire. */
  readonly closeCodes: number[] = [];
  status = 0;

  constructor(role: "client" | "backend", socket: Bun.Socket<FaultPeer>, events: PeerEvents) {
    this.role = role;
    this.#socket = socket;
    this.#events = events;
  }

  /** The handlers of Bun for peers of this role. */
  static handlers(role: "client" | "backend", eventsOf: () => PeerEvents): Bun.SocketHandler<FaultPeer> {
    return {
      open(socket) {
        const events = eventsOf();
        socket.data = new FaultPeer(role, socket, events);
        events.onOpen?.(socket.data);
      },
      data: (socket, bytes) => socket.data.#take(bytes),
      end: (socket) => socket.data.#ended(),
      close: (socket) => socket.data.#closed(),
      error() {},
      connectError() {},
    };
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  sendHalfFrame(): void {
    this.#socket.write(half[this.role]);
  }

  sendClose(): void {
    this.#hasSentClose = true;
    this.#socket.write(closing[this.role]);
  }

  /** Nobody needs it any more. */
  drop(): void {
    this.#socket.terminate();
  }

  do(fault: Fault): void {
    if (this.#isBad || this.isClosed) return;
    this.#isBad = true;
    switch (fault) {
      case "fin":
        this.#socket.shutdown();
        return;
      case "vanish":
        this.#socket.end();
        return;
      case "reset":
        this.#socket.terminate();
        return;
      case "silent":
        this.#socket.pause();
        return;
      case "close-without-fin":
        this.#socket.write(closing[this.role]);
        return;
      case "abort":
        this.#socket.write(half[this.role]);
        this.#socket.terminate();
    }
  }

  #take(bytes: Buffer): void {
    this.#input = Buffer.concat([this.#input, bytes]);
    if (!this.#hasHead) {
      const end = this.#input.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = this.#input.toString("latin1", 0, end);
      this.#hasHead = true;
      this.#input = this.#input.subarray(end + 4);
      this.status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0);
      this.#events.onHead?.(this, head);
    }
    if (this.#input.length === 0) return;
    this.#events.onBytes?.(this);
    if (this.role === "backend" || this.status === 101) this.#readFrames();
  }

  #readFrames(): void {
    const { frames, rest } = readFrames(this.#input);
    this.#input = rest;
    for (const frame of frames) {
      const mask = this.role === "client" ? { mask: someMask } : {};
      if (frame.opcode === 8) this.closeCodes.push(frame.payload.length < 2 ? 0 : (frame.code ?? 0));
      if (this.#isBad) continue;
      if (frame.opcode === 9) this.#socket.write(makeFrame({ opcode: 10, payload: frame.payload, ...mask }));
      if (frame.opcode === 8) this.#answerClose(frame.payload);
    }
  }

  /** RFC 6455 §7.1.1: the server ends its connection first, the client waits for that. */
  #answerClose(payload: Buffer): void {
    const mask = this.role === "client" ? { mask: someMask } : {};
    if (!this.#hasSentClose) this.#socket.write(makeFrame({ opcode: 8, payload, ...mask }));
    if (this.role === "backend") this.#socket.shutdown();
  }

  #ended(): void {
    if (!this.#isBad) this.#socket.end();
  }

  #closed(): void {
    this.isClosed = true;
    this.#events.onClose?.(this);
  }
}
