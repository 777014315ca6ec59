import type { LegState } from "../../core/handover.ts";
import type { Receiver, Wire } from "../../core/wire.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import { type FrameRules, FrameScanner, type ScannerListener, type Violation } from "./frame-scanner.ts";
import { closePayload, controlFrame, opcode } from "./frames.ts";
import { isPingPayload, nextPingNumber, pingPayload } from "./ping-payload.ts";

/** Reading from one side stops when this much waits for the other, and goes on below the low mark (bytes). */
const highWater = 262_144;
const lowWater = 65_536;

/** What happens on a leg and concerns the whole session. */
export interface LegOwner {
  readonly client: Leg;
  readonly upstream: Leg;
  readonly wheel: TimerWheel;
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
  readonly mayUseReservedBits: boolean;
  /** Given if it goes on where one in another process has stopped. */
  readonly state?: LegState | undefined;
};

type RulesOfBoth = { readonly [Side in "client" | "upstream"]: FrameRules };

const plain: RulesOfBoth = {
  client: { isMasked: true, mayUseReservedBits: false },
  upstream: { isMasked: false, mayUseReservedBits: false },
};
const extended: RulesOfBoth = {
  client: { isMasked: true, mayUseReservedBits: true },
  upstream: { isMasked: false, mayUseReservedBits: true },
};

/** How far the closing handshake is on one leg. */
type Goodbye = {
  /** Codes of the Close frames from and to the peer; 1005 for one without a code. */
  received: number | undefined;
  reason: string;
  sent: number | undefined;
  /** A Close that waits for a frame boundary. */
  pending: { readonly frame: Uint8Array; readonly code: number } | undefined;
  isWrittenOff: boolean;
};

/** How often reading was stopped, because the other side was slow. */
type Pauses = {
  /** How long all of them took that are over (ms). */
  totalMs: number;
  /** When this one began (ms of the wheel). */
  since: number | undefined;
};

/**
 * One side of a session: it reads what its peer sends and passes it to the other leg, and sends its peer what the gateway has to say.
 * There are two for every session, so it keeps nothing that follows from something else, or that most of them never need.
 */
export class Leg implements Receiver, ScannerListener {
  readonly wire: Wire;
  readonly scanner: FrameScanner;
  /** When the peer was last heard, when it last sent something of its own, and when it last took something (ms of the wheel). */
  seenAt: number;
  activeAt: number;
  tookAt: number;
  /** When a ping of ours was last sent, and how long the last answered one took (ms). */
  pingedAt = 0;
  roundTripMs: number | undefined;
  readonly #owner: LegOwner;
  #stage: "open" | "ended" | "gone" = "open";
  /** There are none before the first one. */
  #pauses: Pauses | undefined;
  /** There is none while nobody closes, which is nearly always. */
  #goodbye: Goodbye | undefined;
  /** Of the ping that waits for its pong; 0 if none does. */
  #pingNumber = 0;

  constructor(options: LegOptions) {
    this.wire = options.wire;
    this.#owner = options.owner;
    this.seenAt = this.activeAt = this.tookAt = options.owner.wheel.now;
    this.scanner = new FrameScanner(this, (options.mayUseReservedBits ? extended : plain)[options.side]);
    if (options.state !== undefined) this.#restore(options.state);
  }

  get other(): Leg {
    const { client, upstream } = this.#owner;
    return client === this ? upstream : client;
  }

  /** Only clients mask. */
  get side(): "client" | "upstream" {
    return this.scanner.rules.isMasked ? "client" : "upstream";
  }

  /** The peer's FIN has come, and the wire is still there. */
  get isEnded(): boolean {
    return this.#stage === "ended";
  }

  /** The wire is not there any more. */
  get isGone(): boolean {
    return this.#stage === "gone";
  }

  /** Reading is stopped because the other side is slow. */
  get isPaused(): boolean {
    return this.#pauses?.since !== undefined;
  }

  /** How long reading was stopped so far, without a pause that goes on (ms). */
  get pausedMs(): number {
    return this.#pauses === undefined ? 0 : this.#pauses.totalMs;
  }

  /** No answer is expected any more: it broke the protocol, or could not be sent a Close. */
  get isWrittenOff(): boolean {
    return this.#goodbye?.isWrittenOff === true;
  }

  /** Code of the Close that came; 1005 for one without a code. */
  get closeReceived(): number | undefined {
    return this.#goodbye?.received;
  }

  /** What stood in the Close that came. */
  get closeReason(): string {
    return this.#goodbye?.reason ?? "";
  }

  /** Code of the Close that was sent. */
  get closeSent(): number | undefined {
    return this.#goodbye?.sent;
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
    const now = this.#owner.wheel.clock();
    const frozen = this.isGone ? undefined : this.wire.movable?.freeze();
    if (frozen !== undefined) descriptors.push(frozen.descriptor);
    const { roundTripMs, closeReceived, closeSent } = this;
    const pending = this.#goodbye?.pending;
    return {
      ...(frozen === undefined ? {} : { wire: frozen.state }),
      scanner: this.scanner.state,
      seenAgo: now - this.seenAt,
      activeAgo: now - this.activeAt,
      tookAgo: now - this.tookAt,
      pingedAgo: now - this.pingedAt,
      pausedAgo: now - (this.#pauses?.since ?? now),
      pausedMs: this.pausedMs,
      isPaused: this.isPaused,
      isEnded: this.isEnded,
      isWrittenOff: this.isWrittenOff,
      ...(roundTripMs === undefined ? {} : { roundTripMs }),
      ...(closeReceived === undefined ? {} : { closeReceived }),
      closeReason: this.closeReason,
      ...(closeSent === undefined ? {} : { closeSent }),
      ...(pending === undefined
        ? {}
        : { pendingClose: { frame: Buffer.from(pending.frame).toString("base64"), code: pending.code } }),
      isPingPending: this.other.scanner.isInterrupted && !this.isStuckInFrame,
      pingNumber: this.#pingNumber,
    };
  }

  thaw(): void {
    if (!this.isGone) this.wire.movable?.thaw({ receiver: this, isPaused: this.isPaused });
  }

  letGo(): void {
    if (!this.isGone) this.wire.movable?.letGo();
    this.#stage = "gone";
  }

  #restore(state: LegState): void {
    const now = this.#owner.wheel.clock();
    this.scanner.restore(state.scanner);
    this.seenAt = now - state.seenAgo;
    this.activeAt = now - state.activeAgo;
    this.tookAt = now - state.tookAgo;
    this.pingedAt = now - state.pingedAgo;
    const since = state.isPaused ? now - state.pausedAgo : undefined;
    if (since !== undefined || state.pausedMs > 0) this.#pauses = { totalMs: state.pausedMs, since };
    if (state.wire === undefined) this.#stage = "gone";
    else if (state.isEnded) this.#stage = "ended";
    this.roundTripMs = state.roundTripMs;
    this.#restoreGoodbye(state);
    this.#pingNumber = state.pingNumber;
  }

  #restoreGoodbye({ closeReceived, closeReason, closeSent, pendingClose, isWrittenOff }: LegState): void {
    const isNone = closeReceived === undefined && closeSent === undefined && pendingClose === undefined;
    if (isNone && !isWrittenOff) return;
    const goodbye = this.#beginGoodbye();
    goodbye.received = closeReceived;
    goodbye.reason = closeReason;
    goodbye.sent = closeSent;
    goodbye.isWrittenOff = isWrittenOff;
    if (pendingClose === undefined) return;
    goodbye.pending = { frame: Buffer.from(pendingClose.frame, "base64"), code: pendingClose.code };
  }

  #beginGoodbye(): Goodbye {
    this.#goodbye ??= { received: undefined, reason: "", sent: undefined, pending: undefined, isWrittenOff: false };
    return this.#goodbye;
  }

  onBytes(bytes: Uint8Array): void {
    this.seenAt = this.#owner.wheel.now;
    try {
      this.scanner.scan(bytes);
    } catch (error) {
      this.#owner.onFault(error);
    }
  }

  onWritable(): void {
    this.tookAt = this.#owner.wheel.now;
    if (this.wire.queued <= lowWater) this.other.resumeReading();
  }

  onEnd(): void {
    if (this.#stage === "open") this.#stage = "ended";
    this.#owner.onLegEnded(this);
  }

  onClose(error: Error | undefined): void {
    if (this.isGone) return;
    this.#stage = "gone";
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
    const goodbye = this.#beginGoodbye();
    goodbye.received = code;
    goodbye.reason = reason;
    this.#owner.onCloseReceived(this, frame);
  }

  onPong(payload: Uint8Array): boolean {
    if (this.#pingNumber === 0 || !isPingPayload(payload, this.#pingNumber)) return true;
    this.roundTripMs = this.#owner.wheel.clock() - this.pingedAt;
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
    other.#sendWaiting();
    if (isClose) this.#owner.onCloseSent(other);
  }

  /** Passes on the Close frame that the other peer sent. */
  passClose(frame: Uint8Array, code: number): void {
    if (this.closeSent !== undefined || this.isGone) return;
    this.#beginGoodbye().sent = code;
    this.wire.write(frame);
    this.other.resumeReading();
  }

  /** Sends the peer a Close of the gateway's own, at the next frame boundary. */
  close(code: number, reason: string): void {
    if (this.closeSent !== undefined || this.isStuckInFrame || this.isGone) return;
    this.#beginGoodbye().pending = { frame: this.#control(opcode.close, closePayload(code, reason)), code };
    this.#putIn();
  }

  /** Pings the peer at the next frame boundary. */
  ping(): void {
    if (this.closeSent !== undefined || this.isGone) return;
    this.pingedAt = this.#owner.wheel.clock();
    this.#putIn();
  }

  /** True while a Close waits for a frame boundary, which never comes once the other peer is lost. */
  get isStuckInFrame(): boolean {
    return this.#goodbye?.pending !== undefined;
  }

  /** Ends our direction without the Close that waits for a frame boundary. */
  endInFrame(): void {
    const goodbye = this.#beginGoodbye();
    goodbye.isWrittenOff = true;
    goodbye.pending = undefined;
    this.wire.end();
  }

  /** No answer is expected any more. */
  writeOff(): void {
    this.#beginGoodbye().isWrittenOff = true;
  }

  /** Closes the wire at once. */
  cut(): void {
    if (this.isGone) return;
    this.#stage = "gone";
    this.wire.destroy();
  }

  resumeReading(): void {
    const pauses = this.#pauses;
    if (pauses?.since === undefined) return;
    const now = this.#owner.wheel.clock();
    pauses.totalMs += now - pauses.since;
    pauses.since = undefined;
    this.seenAt = now;
    this.wire.resume();
  }

  #pauseReading(): void {
    this.#pauses ??= { totalMs: 0, since: undefined };
    this.#pauses.since = this.#owner.wheel.clock();
    this.wire.pause();
  }

  #putIn(): void {
    const towardsPeer = this.other.scanner;
    if (towardsPeer.isAtBoundary) this.#sendWaiting();
    else towardsPeer.interrupt();
  }

  #sendWaiting(): void {
    if (this.isStuckInFrame) this.#sendPending();
    else this.#sendPing();
  }

  #sendPending(): void {
    const goodbye = this.#goodbye;
    if (this.isGone || goodbye?.pending === undefined || goodbye.sent !== undefined) return;
    const { frame, code } = goodbye.pending;
    goodbye.sent = code;
    this.wire.write(frame);
    goodbye.pending = undefined;
    // What still comes for this peer is dropped, and behind it stands the other one's answer.
    this.other.resumeReading();
  }

  #sendPing(): void {
    if (this.isGone || this.isWrittenOff || this.closeSent !== undefined) return;
    this.#pingNumber = nextPingNumber();
    this.pingedAt = this.#owner.wheel.clock();
    this.wire.write(this.#control(opcode.ping, pingPayload(this.#pingNumber)));
  }

  #control(code: number, payload: Uint8Array): Uint8Array {
    return controlFrame({ opcode: code, payload, isMasked: this.side === "upstream" });
  }
}
