import type { FramesSeen, Resumable } from "../../core/exchange.ts";
import type { Parking } from "../../core/parking.ts";
import type { ResumeSettings } from "../../core/snapshot.ts";
import { type PeerAddress, type Receiver, silentReceiver, type Wire } from "../../core/wire.ts";
import { latin1 } from "../../kit/latin1.ts";
import { opcode } from "./frames.ts";

/** What became of a session whose upstream was lost: it went on, or why it did not. */
export type ResumeResult = "resumed" | "expired" | "overflow" | "mid_message";

/** Another upstream connection, its handshake done. */
export type Replacement = { readonly wire: Wire; readonly parked: Parking; readonly endpoint: string };

/** Finds replacements for one session. */
export interface Resumer extends Disposable {
  /** Undefined if there was none in time. */
  find(): Promise<Replacement | undefined>;
  onResult(result: ResumeResult): void;
}

/**
 * The upstream wire of a session that outlives its connections. When one is lost between two messages the client hears nothing of it: what
 * it sends is held until there is another connection. What was on its way to the lost one is lost with it.
 */
export class ResumableWire implements Wire, Receiver, Resumable {
  receiver: Receiver;
  readonly #settings: ResumeSettings;
  readonly #resumer: Resumer;
  #wire: Wire;
  #state: "open" | "seeking" | "final" = "open";
  /** What the session has read of the upstream's frames. */
  #scanner: FramesSeen | undefined;
  #onMoved: (endpoint: string) => void = () => {};
  /** Payload bytes of the client's current frame that are still to come, and whether its message has more frames. */
  #remaining = 0;
  #isFragmented = false;
  #isControl = false;
  #isClosing = false;
  #isPaused = false;
  /** What the connection has not taken, as far as was heard. */
  #untaken = 0;
  /** The first messages, to be sent again; undefined if they were too long to keep. */
  #replay: Uint8Array[] | undefined = [];
  #replayBytes = 0;
  #recorded = 0;
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(wire: Wire, how: { settings: ResumeSettings; resumer: Resumer; receiver: Receiver }) {
    this.#wire = wire;
    this.#settings = how.settings;
    this.#resumer = how.resumer;
    this.receiver = how.receiver;
  }

  /** The session is there; `onMoved` hears of every new endpoint. */
  attach(scanner: FramesSeen, onMoved: (endpoint: string) => void): void {
    this.#scanner = scanner;
    this.#onMoved = onMoved;
  }

  get peer(): PeerAddress {
    return this.#wire.peer;
  }

  get queued(): number {
    return this.#state === "seeking" ? this.#heldBytes : this.#wire.queued;
  }

  get isClosed(): boolean {
    return this.#state !== "seeking" && this.#wire.isClosed;
  }

  writeFramed(before: string, bytes?: Uint8Array, after?: string): number {
    return this.write(latin1(before, bytes, after));
  }

  write(bytes: Uint8Array): number {
    this.#follow(bytes);
    if (this.#state === "seeking") return this.#heldBytes;
    this.#wire.write(bytes);
    // Now, and not at the end of the turn: whether a message has left is what a loss is judged by.
    this.#untaken = this.#wire.queued;
    return this.#untaken;
  }

  pause(): void {
    this.#isPaused = true;
    if (this.#state !== "seeking") this.#wire.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#state !== "seeking") this.#wire.resume();
  }

  end(): void {
    if (this.#state === "seeking") return this.#giveUp("closed");
    this.#state = "final";
    this.#wire.end();
  }

  destroy(): void {
    this.#state = "final";
    this.receiver = silentReceiver;
    this.#resumer[Symbol.dispose]();
    this.#wire.destroy();
  }

  onBytes(bytes: Uint8Array): void {
    this.receiver.onBytes(bytes);
  }

  onWritable(): void {
    this.#untaken = this.#wire.queued;
    this.receiver.onWritable();
  }

  onEnd(): void {
    if (!this.#isLost()) this.receiver.onEnd();
  }

  onClose(error: Error | undefined): void {
    if (!this.#isLost()) this.receiver.onClose(error);
  }

  /** True if another connection is looked for. */
  #isLost(): boolean {
    if (this.#state !== "open" || this.#isClosing || this.#scanner === undefined || this.#scanner.isOver) return false;
    const isBetween = this.#scanner.isBetweenMessages && this.#remaining === 0 && !this.#isFragmented;
    if (!isBetween || this.#untaken > 0) return this.#stay("mid_message");
    if (this.#replay === undefined) return this.#stay("overflow");
    this.#state = "seeking";
    this.#scanner.forgetHeld();
    this.#wire.receiver = silentReceiver;
    this.#wire.destroy();
    void this.#seek();
    return true;
  }

  #stay(why: ResumeResult): false {
    this.#state = "final";
    this.#resumer.onResult(why);
    return false;
  }

  async #seek(): Promise<void> {
    const found = await this.#resumer.find();
    if (this.#state !== "seeking") return found?.wire.destroy();
    if (found === undefined) return this.#giveUp("expired");
    this.#state = "open";
    this.#wire = found.wire;
    for (const piece of [...(this.#replay ?? []), ...this.#held]) this.#untaken = found.wire.write(piece);
    this.#held = [];
    this.#heldBytes = 0;
    this.#resumer.onResult("resumed");
    this.#onMoved(found.endpoint);
    if (this.#isPaused) found.wire.pause();
    found.wire.receiver = this;
    found.parked.release(this);
    // Who waited because much was held may go on.
    if (this.#untaken === 0) this.receiver.onWritable();
  }

  /** `closed`: somebody ends the session, so that nothing is missing any more. */
  #giveUp(why: "expired" | "overflow" | "closed"): void {
    if (this.#state !== "seeking") return;
    this.#state = "final";
    this.#held = [];
    this.#heldBytes = 0;
    if (why !== "closed") this.#resumer.onResult(why);
    // Not now: whoever writes is not done yet.
    queueMicrotask(() => this.receiver.onClose(new Error(`no other connection to the upstream: ${why}`)));
  }

  /** Follows the client's frames, whose headers and control frames always come whole. */
  #follow(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#remaining === 0) this.#begin(bytes, at);
      const step = Math.min(this.#remaining, bytes.length - at);
      this.#remaining -= step;
      this.#keep(bytes.subarray(at, at + step));
      if (this.#remaining === 0 && !this.#isControl && !this.#isFragmented) this.#recorded++;
      at += step;
    }
  }

  /** A frame begins; what is left of it counts with its header. */
  #begin(bytes: Uint8Array, at: number): void {
    const first = bytes[at] ?? 0;
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    const masked = 4;
    if (short < 126) this.#remaining = 2 + masked + short;
    else if (short === 126) this.#remaining = 4 + masked + view.getUint16(2);
    else this.#remaining = 10 + masked + Number(view.getBigUint64(2));
    const code = first & 0x0f;
    this.#isControl = code >= 8;
    if (!this.#isControl) this.#isFragmented = first < 0x80;
    if (code === opcode.close) this.#isClosing = true;
  }

  /** Pings and pongs concern one connection, and are neither held nor sent again. */
  #keep(piece: Uint8Array): void {
    const isSeeking = this.#state === "seeking";
    if (this.#isControl) {
      if (this.#isClosing && isSeeking) this.#giveUp("closed");
      return;
    }
    if (this.#recorded < this.#settings.replay && this.#replay !== undefined && !isSeeking) {
      this.#replayBytes += piece.length;
      if (this.#replayBytes > this.#settings.bufferBytes) this.#replay = undefined;
      else this.#replay.push(new Uint8Array(piece));
    }
    if (!isSeeking) return;
    this.#heldBytes += piece.length;
    if (this.#heldBytes > this.#settings.bufferBytes) this.#giveUp("overflow");
    else this.#held.push(new Uint8Array(piece));
  }
}
