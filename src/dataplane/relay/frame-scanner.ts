import type { ScannerState } from "../../core/handover.ts";
import type { Traffic } from "../../core/session.ts";
import { isSendableCloseCode, maxControlPayload, opcode } from "./frames.ts";

/** What a scanner finds. Pieces come in order; everything that `onPass` gets together is what came, less what was taken out. */
export interface ScannerListener {
  /** Bytes to pass on. */
  onPass(bytes: Uint8Array): void;
  /** A whole Close frame, which was not passed on. Code 1005 stands for none. Nothing is scanned after it. */
  onCloseFrame(frame: Uint8Array, code: number, reason: string): void;
  /** A whole pong; false takes it out of the stream. */
  onPong(payload: Uint8Array): boolean;
  /** Only after `interrupt()`: everything passed so far ends with a whole frame. */
  onBoundary(): void;
  /** The frame that comes next breaks RFC 6455 and was not passed on. Nothing is scanned after it. */
  onViolation(violation: Violation): void;
}

/** What is wrong with a frame, and the Close code that says so (RFC 6455 §7.4.1). */
export type Violation = { readonly code: 1002 | 1007 | 1009; readonly says: string };

/** Which frames are legal here. Scanners share one of these, because there are two for every session. */
export type FrameRules = {
  /** True for what a client sends (RFC 6455 §5.1). */
  readonly isMasked: boolean;
  /** True if an extension was negotiated, which may then use the reserved bits. */
  readonly mayUseReservedBits: boolean;
};

// What stands in the place of the bytes to come, once nothing is scanned any more.
const closed = -1;
const violated = -2;

/**
 * Reads frame headers as bytes go by. It holds back nothing but a header or a control frame that is not complete yet
 * (at most 131 bytes), so that frames of the gateway's own can be put in wherever `isAtBoundary`.
 */
export class FrameScanner implements Traffic {
  bytes = 0;
  text = 0;
  binary = 0;
  continuations = 0;
  pings = 0;
  pongs = 0;
  readonly #listener: ScannerListener;
  readonly rules: FrameRules;
  /** Payload bytes of the current data frame that are still to come; `closed` or `violated` at the end. */
  #remaining = 0;
  /** Inside a message of several frames. */
  #isFragmented = false;
  #isInterrupted = false;
  /** The beginning of a header or control frame that was not complete. */
  #held: Uint8Array | undefined;

  constructor(listener: ScannerListener, rules: FrameRules) {
    this.#listener = listener;
    this.rules = rules;
  }

  /** Whole messages; one begins with a text or a binary frame. */
  get messages(): number {
    return this.text + this.binary - (this.#isFragmented ? 1 : 0);
  }

  get frames(): number {
    return this.#framesBeforeClose + (this.#remaining === closed ? 1 : 0);
  }

  get #framesBeforeClose(): number {
    return this.text + this.binary + this.continuations + this.pings + this.pongs;
  }

  /** Where it stands. */
  get state(): ScannerState {
    const { messages, frames, bytes, text, binary, continuations, pings, pongs } = this;
    return {
      ...{ messages, frames, bytes, text, binary, continuations, pings, pongs },
      remaining: Math.max(0, this.#remaining),
      isFragmented: this.#isFragmented,
      isOver: this.isOver,
      isInterrupted: this.#isInterrupted,
      held: Buffer.from(this.#held ?? []).toString("base64"),
    };
  }

  /** Goes on where another one stood. */
  restore(state: ScannerState): void {
    this.bytes = state.bytes;
    this.text = state.text;
    this.binary = state.binary;
    this.continuations = state.continuations;
    this.pings = state.pings;
    this.pongs = state.pongs;
    const over = state.frames > this.#framesBeforeClose ? closed : violated;
    this.#remaining = state.isOver ? over : state.remaining;
    this.#isFragmented = state.isFragmented;
    this.#isInterrupted = state.isInterrupted;
    this.#held = state.held === "" ? undefined : Buffer.from(state.held, "base64");
  }

  /** True if everything passed on so far ends with a whole frame. */
  get isAtBoundary(): boolean {
    return this.#remaining <= 0;
  }

  /** True if everything passed on so far ends with a whole message. */
  get isBetweenMessages(): boolean {
    return this.isAtBoundary && !this.#isFragmented;
  }

  /** Forgets the beginning of a frame whose rest will never come. */
  forgetHeld(): void {
    this.#held = undefined;
  }

  /** True after a Close frame or a violation. */
  get isOver(): boolean {
    return this.#remaining < 0;
  }

  /** True if `onBoundary` was asked for and has not come. */
  get isInterrupted(): boolean {
    return this.#isInterrupted;
  }

  /** Asks for one `onBoundary`, at the end of the frame that is going by. */
  interrupt(): void {
    this.#isInterrupted = true;
  }

  scan(chunk: Uint8Array): void {
    if (this.isOver) return;
    let bytes = chunk;
    if (this.#held !== undefined) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    }
    const end = bytes.length;
    let from = 0;
    let at = 0;
    while (at < end) {
      if (this.#remaining > 0) {
        const step = Math.min(this.#remaining, end - at);
        this.#remaining -= step;
        at += step;
        if (this.#remaining > 0) break;
        if (!this.#isInterrupted) continue;
      }
      if (this.#isInterrupted) {
        this.#pass(bytes, from, at);
        from = at;
        this.#isInterrupted = false;
        this.#listener.onBoundary();
        if (this.isOver) return;
        continue;
      }
      const next = this.#header(bytes, at, from);
      if (this.isOver) return;
      if (next === at) {
        this.#pass(bytes, from, at);
        this.#held = new Uint8Array(bytes.subarray(at));
        return;
      }
      if (next > 0) at = next;
      else from = at = -next;
    }
    this.#pass(bytes, from, end);
    if (this.#isInterrupted && this.#remaining === 0) {
      this.#isInterrupted = false;
      this.#listener.onBoundary();
    }
  }

  #pass(bytes: Uint8Array, from: number, to: number): void {
    if (to <= from) return;
    this.#listener.onPass(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  }

  /** Reads the header at `at` and returns where to go on: past it, or `at` itself if more bytes are needed. Negative if a frame was taken out. */
  #header(bytes: Uint8Array, at: number, from: number): number {
    const available = bytes.length - at;
    if (available < 2) return at;
    const first = bytes[at] as number;
    const second = bytes[at + 1] as number;
    const problem = this.#checkFirstBytes(first, second);
    if (problem !== undefined) return this.#violate(bytes, from, at, problem);
    const shortLength = second & 0x7f;
    const lengthBytes = shortLength < 126 ? 0 : shortLength === 126 ? 2 : 8;
    const headerLength = 2 + lengthBytes + (this.rules.isMasked ? 4 : 0);
    if ((first & 0x0f) >= 8) return this.#control(bytes, at, from, headerLength + shortLength);
    if (available < headerLength) return at;
    const length = lengthBytes === 0 ? shortLength : longLength(bytes, at + 2, lengthBytes);
    if (length < 0) return this.#violate(bytes, from, at, lengthProblem(length));
    this.#countData(first, length);
    this.#remaining = length;
    return at + headerLength;
  }

  #checkFirstBytes(first: number, second: number): Violation | undefined {
    if ((first & 0x70) !== 0 && !this.rules.mayUseReservedBits)
      return violation("a reserved bit is set without an extension");
    if (second >= 0x80 !== this.rules.isMasked) {
      return violation(
        this.rules.isMasked ? "a frame from the client is not masked" : "a frame from the upstream is masked",
      );
    }
    const code = first & 0x0f;
    if (code >= 8) {
      if (code > 10) return violation(`the opcode ${code} is reserved`);
      if (first < 0x80) return violation("a control frame is fragmented");
      if ((second & 0x7f) > maxControlPayload) return violation("a control frame is longer than 125 bytes");
      return undefined;
    }
    if (code > 2) return violation(`the opcode ${code} is reserved`);
    if (code === opcode.continuation && !this.#isFragmented) return violation("a continuation frame continues nothing");
    if (code !== opcode.continuation && this.#isFragmented) return violation("a message begins inside another");
    return undefined;
  }

  #countData(first: number, length: number): void {
    const code = first & 0x0f;
    if (code === opcode.text) this.text++;
    else if (code === opcode.binary) this.binary++;
    else this.continuations++;
    this.#isFragmented = first < 0x80;
    this.bytes += length;
  }

  #control(bytes: Uint8Array, at: number, from: number, length: number): number {
    if (bytes.length - at < length) return at;
    const code = (bytes[at] as number) & 0x0f;
    if (code === opcode.ping) {
      this.pings++;
      return at + length;
    }
    const frame = at === 0 && length === bytes.length ? bytes : bytes.subarray(at, at + length);
    if (code === opcode.close) return this.#close(bytes, at, from, frame);
    this.pongs++;
    if (this.#listener.onPong(this.#payload(frame))) return at + length;
    this.#pass(bytes, from, at);
    return -(at + length);
  }

  #close(bytes: Uint8Array, at: number, from: number, frame: Uint8Array): number {
    const length = (frame[1] as number) & 0x7f;
    const code = this.#closeCode(frame, length);
    if (length > 0 && !isSendableCloseCode(code)) {
      const says = code < 0 ? "a Close frame has half a code" : `the close code ${code} must not be sent`;
      return this.#violate(bytes, from, at, violation(says));
    }
    const reason = length > 2 ? utf8(this.#payload(frame).subarray(2)) : "";
    if (reason === undefined)
      return this.#violate(bytes, from, at, { code: 1007, says: "a close reason is not UTF-8" });
    this.#pass(bytes, from, at);
    this.#remaining = closed;
    this.#listener.onCloseFrame(frame, code, reason);
    return at;
  }

  /** 1005 if there is none, -1 if there is half of one. */
  #closeCode(frame: Uint8Array, length: number): number {
    if (length < 2) return length === 0 ? 1005 : -1;
    if (!this.rules.isMasked) return ((frame[2] as number) << 8) | (frame[3] as number);
    return (((frame[6] as number) ^ (frame[2] as number)) << 8) | ((frame[7] as number) ^ (frame[3] as number));
  }

  /** The unmasked payload of a whole control frame. */
  #payload(frame: Uint8Array): Uint8Array {
    if (!this.rules.isMasked) return frame.subarray(2);
    // A copy, because Buffer.slice is only a view of what is passed on.
    const payload = new Uint8Array(frame.subarray(6));
    for (let at = 0; at < payload.length; at++) payload[at] = (payload[at] as number) ^ (frame[2 + (at & 3)] as number);
    return payload;
  }

  #violate(bytes: Uint8Array, from: number, at: number, problem: Violation): number {
    this.#pass(bytes, from, at);
    this.#remaining = violated;
    this.#listener.onViolation(problem);
    return at;
  }
}

const tooLong = -1;
const notMinimal = -2;
const negative = -3;

/** Reads an extended length (RFC 6455 §5.2); a negative result says what is wrong with it. */
function longLength(bytes: Uint8Array, at: number, size: number): number {
  if (size === 2) {
    const length = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    return length < 126 ? notMinimal : length;
  }
  if ((bytes[at] as number) >= 0x80) return negative;
  let length = 0;
  for (let index = 0; index < 8; index++) length = length * 256 + (bytes[at + index] as number);
  if (length < 65_536) return notMinimal;
  return length > Number.MAX_SAFE_INTEGER ? tooLong : length;
}

function lengthProblem(length: number): Violation {
  if (length === tooLong) return { code: 1009, says: "a frame is longer than 2^53 bytes" };
  return violation(
    length === notMinimal ? "a length is not in its shortest form" : "the highest bit of a length is set",
  );
}

function violation(says: string): Violation {
  return { code: 1002, says };
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function utf8(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "";
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}
