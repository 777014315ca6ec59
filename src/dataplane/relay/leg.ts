import type { LegState } from "../../core/handover.ts";
import type { Receiver, Wire } from "../../core/wire.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import { FrameScanner, type ScannerListener, type Violation } from "./frame-scanner.ts";
import { closePayload, controlFrame, opcode } from "./frames.ts";

/** Reading from one side stops when this much waits for the other, and goes on below the low mark (bytes). */
const highWater = 262_144;
const lowWater = 65_536;

/** What happens on a leg and concerns the whole session. */
export interface LegOwner {
  onCloseReceived(leg: Leg, frame: Uint8Array): void;
  onViolation(leg: Leg, violation: Violation): void;
  /** The peer ended its direction. */
  onLegEnded(leg: Leg): void;
  /** The wire is closed. */
  onLegGone(leg: Leg, error: Error | undefined): void;
  /** A Close that had to wait for a frame boundary was sent. */
  onCloseSent(leg: Leg): void;
  /** A pong to a ping of ours came. */
  onRoundTrip(leg: Leg, ms: number): void;
  /** An invariant of ours is broken. */
  onFault(error: unknown): void;
}

/** One side of a session, and what it belongs to. */
export type LegOptions = {
  readonly side: "client" | "upstream";
  readonly wire: Wire;
  readonly owner: LegOwner;
  readonly wheel: TimerWheel;
  readonly mayUseReservedBits: boolean;
  /** Given if it goes on where one in another process has stopped. */
  readonly state?: LegState | undefined;
};

/** One side of a session: it reads what its peer sends and passes it to the other leg, and sends its peer what the gateway has to say. */
export class Leg implements Receiver, ScannerListener {
  readonly side: "client" | "upstream";
  readonly wire: Wire;
  readonly scanner: FrameScanner;
  /** When the peer was last heard, when it last sent something of its own, and when it last took something (ms of the wheel). */
  seenAt: number;
  activeAt: number;
  tookAt: number;
  /** When a ping of ours was last sent, and how long the last answered one took (ms). */
  pingedAt = 0;
  roundTripMs: number | undefined;
  /** Codes of the Close frames from and to the peer; 1005 for one without a code. */
  closeReceived: number | undefined;
  closeReason = "";
  closeSent: number | undefined;
  /** No answer is expected any more: it broke the protocol, or could not be sent a Close. */
  isWrittenOff = false;
  /** The peer's FIN has come. */
  isEnded = false;
  isGone = false;
  /** Reading is stopped because the other side is slow; total time so far (ms). */
  isPaused = false;
  pausedMs = 0;
  readonly #owner: LegOwner;
  readonly #wheel: TimerWheel;
  #other: Leg | undefined;
  #pausedAt = 0;
  #pendingClose: Uint8Array | undefined;
  #pendingCode = 0;
  #isPingPending = false;
  #pingNumber = 0;

  constructor(options: LegOptions) {
    this.side = options.side;
    this.wire = options.wire;
    this.#owner = options.owner;
    this.#wheel = options.wheel;
    this.seenAt = this.activeAt = this.tookAt = options.wheel.now;
    const isMasked = options.side === "client";
    this.scanner = new FrameScanner(this, { isMasked, mayUseReservedBits: options.mayUseReservedBits });
    if (options.state !== undefined) this.#restore(options.state);
  }

  static join(one: Leg, two: Leg): void {
    one.#other = two;
    two.#other = one;
  }

  get other(): Leg {
    if (this.#other === undefined) throw new Error("a leg was used before it was joined");
    return this.#other;
  }

  /** True once both Close frames have passed here, or will never. */
  get isSettled(): boolean {
    if (this.isGone || (this.isWrittenOff && !this.isStuckInFrame)) return true;
    return this.closeSent !== undefined && this.closeReceived !== undefined;
  }

  get isMovable(): boolean {
    return this.isGone || (!this.wire.isClosed && this.wire.movable !== undefined);
  }

  /** Stops, and says where it stands; the descriptor of its wire, if it has one, is added to `descriptors`. */
  freeze(descriptors: number[]): LegState {
    const now = this.#wheel.clock();
    const frozen = this.isGone ? undefined : this.wire.movable?.freeze();
    if (frozen !== undefined) descriptors.push(frozen.descriptor);
    const { roundTripMs, closeReceived, closeSent } = this;
    const frame = this.#pendingClose;
    return {
      ...(frozen === undefined ? {} : { wire: frozen.state }),
      scanner: this.scanner.state,
      seenAgo: now - this.seenAt,
      activeAgo: now - this.activeAt,
      tookAgo: now - this.tookAt,
      pingedAgo: now - this.pingedAt,
      pausedAgo: now - this.#pausedAt,
      pausedMs: this.pausedMs,
      isPaused: this.isPaused,
      isEnded: this.isEnded,
      isWrittenOff: this.isWrittenOff,
      ...(roundTripMs === undefined ? {} : { roundTripMs }),
      ...(closeReceived === undefined ? {} : { closeReceived }),
      closeReason: this.closeReason,
      ...(closeSent === undefined ? {} : { closeSent }),
      ...(frame === undefined
        ? {}
        : { pendingClose: { frame: Buffer.from(frame).toString("base64"), code: this.#pendingCode } }),
      isPingPending: this.#isPingPending,
      pingNumber: this.#pingNumber,
    };
  }

  thaw(): void {
    if (!this.isGone) this.wire.movable?.thaw({ receiver: this, isPaused: this.isPaused });
  }

  letGo(): void {
    if (!this.isGone) this.wire.movable?.letGo();
    this.isGone = true;
  }

  #restore(state: LegState): void {
    const now = this.#wheel.clock();
    this.scanner.restore(state.scanner);
    this.seenAt = now - state.seenAgo;
    this.activeAt = now - state.activeAgo;
    this.tookAt = now - state.tookAgo;
    this.pingedAt = now - state.pingedAgo;
    this.#pausedAt = now - state.pausedAgo;
    this.pausedMs = state.pausedMs;
    this.isPaused = state.isPaused;
    this.isEnded = state.isEnded;
    this.isGone = state.wire === undefined;
    this.isWrittenOff = state.isWrittenOff;
    this.roundTripMs = state.roundTripMs;
    this.closeReceived = state.closeReceived;
    this.closeReason = state.closeReason;
    this.closeSent = state.closeSent;
    if (state.pendingClose !== undefined) {
      this.#pendingClose = Buffer.from(state.pendingClose.frame, "base64");
      this.#pendingCode = state.pendingClose.code;
    }
    this.#isPingPending = state.isPingPending;
    this.#pingNumber = state.pingNumber;
  }

  onBytes(bytes: Uint8Array): void {
    this.seenAt = this.#wheel.now;
    try {
      this.scanner.scan(bytes);
    } catch (error) {
      this.#owner.onFault(error);
    }
  }

  onWritable(): void {
    this.tookAt = this.#wheel.now;
    if (this.wire.queued <= lowWater) this.other.resumeReading();
  }

  onEnd(): void {
    this.isEnded = true;
    this.#owner.onLegEnded(this);
  }

  onClose(error: Error | undefined): void {
    if (this.isGone) return;
    this.isGone = true;
    this.other.resumeReading();
    this.#owner.onLegGone(this, error);
  }

  onPass(bytes: Uint8Array): void {
    this.activeAt = this.seenAt;
    const other = this.other;
    if (other.closeSent !== undefined) return;
    if (other.wire.write(bytes) > highWater && !this.isPaused) this.#pauseReading();
  }

  onCloseFrame(frame: Uint8Array, code: number, reason: string): void {
    this.closeReceived = code;
    this.closeReason = reason;
    this.#owner.onCloseReceived(this, frame);
  }

  onPong(payload: Uint8Array): boolean {
    if (this.#pingNumber === 0 || !isPingPayload(payload, this.#pingNumber)) return true;
    this.roundTripMs = this.#wheel.clock() - this.pingedAt;
    this.#pingNumber = 0;
    this.#owner.onRoundTrip(this, this.roundTripMs);
    return false;
  }

  onViolation(violation: Violation): void {
    this.#owner.onViolation(this, violation);
  }

  /** The stream towards the other leg is between two frames: what waits to be put in there goes now. */
  onBoundary(): void {
    const { other } = this;
    const isClose = other.isStuckInFrame;
    other.#flushPending();
    if (isClose) this.#owner.onCloseSent(other);
  }

  /** Passes on the Close frame that the other peer sent. */
  passClose(frame: Uint8Array, code: number): void {
    if (this.closeSent !== undefined || this.isGone) return;
    this.closeSent = code;
    this.wire.write(frame);
    this.other.resumeReading();
  }

  /** Sends the peer a Close of the gateway's own, at the next frame boundary. */
  close(code: number, reason: string): void {
    if (this.closeSent !== undefined || this.#pendingClose !== undefined || this.isGone) return;
    this.#pendingClose = this.#control(opcode.close, closePayload(code, reason));
    this.#pendingCode = code;
    this.#putIn();
  }

  /** Pings the peer at the next frame boundary. */
  ping(): void {
    if (this.closeSent !== undefined || this.isGone) return;
    this.#isPingPending = true;
    this.pingedAt = this.#wheel.clock();
    this.#putIn();
  }

  /** True if a Close is waiting for a frame boundary that will never come. */
  get isStuckInFrame(): boolean {
    return this.#pendingClose !== undefined;
  }

  /** Ends our direction without the Close that waits for a frame boundary. */
  endInFrame(): void {
    this.#pendingClose = undefined;
    this.isWrittenOff = true;
    this.wire.end();
  }

  /** Closes the wire at once. */
  cut(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.wire.destroy();
  }

  resumeReading(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    const now = this.#wheel.clock();
    this.pausedMs += now - this.#pausedAt;
    this.seenAt = now;
    this.wire.resume();
  }

  #pauseReading(): void {
    this.isPaused = true;
    this.#pausedAt = this.#wheel.clock();
    this.wire.pause();
  }

  #putIn(): void {
    if (this.other.scanner.isAtBoundary) this.#flushPending();
    else this.other.scanner.interrupt();
  }

  #flushPending(): void {
    if (this.isGone || this.closeSent !== undefined) return;
    if (this.#pendingClose !== undefined) {
      this.closeSent = this.#pendingCode;
      this.wire.write(this.#pendingClose);
      this.#pendingClose = undefined;
      // What still comes for this peer is dropped, and behind it stands the other one's answer.
      this.other.resumeReading();
    } else if (this.#isPingPending) {
      this.#isPingPending = false;
      this.#pingNumber = nextPingNumber();
      this.pingedAt = this.#wheel.clock();
      this.wire.write(this.#control(opcode.ping, pingPayload(this.#pingNumber)));
    }
  }

  #control(code: number, payload: Uint8Array): Uint8Array {
    return controlFrame({ opcode: code, payload, isMasked: this.side === "upstream" });
  }
}

let lastPingNumber = Math.floor(Math.random() * 0x40000000);

/** Never 0, which stands for no ping under way. */
function nextPingNumber(): number {
  lastPingNumber = (lastPingNumber + 1) & 0x7fffffff || 1;
  return lastPingNumber;
}

const pingMark = Buffer.from("causeway");

/** Twelve bytes that no application would send by chance: a pong that carries them answers the gateway. */
function pingPayload(number: number): Uint8Array {
  const payload = Buffer.alloc(pingMark.length + 4);
  pingMark.copy(payload);
  payload.writeUInt32BE(number, pingMark.length);
  return payload;
}

function isPingPayload(payload: Uint8Array, number: number): boolean {
  return payload.length === pingMark.length + 4 && Buffer.compare(payload, pingPayload(number)) === 0;
}
