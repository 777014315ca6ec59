import { calm, type FloodGuard } from "./flood-guard.ts";
import type { FrameReader } from "./frame-reader.ts";
import { ConnectionFault, errorCode, flag, frameType } from "./frames.ts";
import { HeaderDecoder } from "./header-decoder.ts";
import { type BlockKind, type FieldLimits, MessageFields } from "./message-fields.ts";

/** How many times the limit a block may be that is read to its end, and answered with 431. */
const maxExcess = 4;

/** A header block that has come whole. */
export type Fields = {
  readonly id: number;
  readonly fields: MessageFields;
  readonly kind: BlockKind;
  /** True if it ended the peer's direction. */
  readonly isLast: boolean;
};

type IntakeOptions = {
  readonly limits: FieldLimits;
  readonly guard: FloodGuard;
  readonly kindOf: (stream: number) => BlockKind;
};

/** Puts HEADERS and CONTINUATION frames together, and decodes them in the order of the connection. */
export class HeaderIntake {
  readonly #limits: FieldLimits;
  readonly #guard: FloodGuard;
  readonly #kindOf: (stream: number) => BlockKind;
  readonly #decoder = new HeaderDecoder();
  #stream = 0;
  #kind: BlockKind = "request";
  #isLast = false;
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** `kindOf` says what a block on a stream is, and throws a ConnectionFault where none may be. */
  constructor({ limits, guard, kindOf }: IntakeOptions) {
    this.#limits = limits;
    this.#guard = guard;
    this.#kindOf = kindOf;
  }

  /** True if a block has begun and not ended. */
  get isInside(): boolean {
    return this.#stream !== 0;
  }

  /** Throws a ConnectionFault for a frame that must not stand inside a block (RFC 9113 §6.10). */
  check({ type, stream }: FrameReader): void {
    if (type === frameType.continuation ? stream !== this.#stream : this.isInside)
      throw new ConnectionFault(errorCode.protocol, "a header block is interrupted");
  }

  /** Takes a HEADERS or CONTINUATION frame, and returns the fields once their block is whole. */
  take(frame: FrameReader): Fields | undefined {
    if (frame.type === frameType.continuation) {
      this.#guard.onContinuation();
      return this.#add(frame.payload, frame.flags);
    }
    const { stream, flags } = frame;
    this.#guard.onHeaders();
    this.#kind = this.#kindOf(stream);
    this.#stream = stream;
    this.#isLast = (flags & flag.endStream) !== 0;
    this.#pieces = [];
    this.#bytes = 0;
    return this.#add(headersContent(frame), flags);
  }

  #add(piece: Buffer, flags: number): Fields | undefined {
    this.#bytes += piece.length;
    if (this.#bytes > this.#limits.head * maxExcess) throw calm("a header block is too long", "header_size");
    if ((flags & flag.endHeaders) !== 0) return this.#decode(piece);
    this.#pieces.push(Buffer.from(piece));
    return undefined;
  }

  #decode(last: Buffer): Fields {
    const id = this.#stream;
    const kind = this.#kind;
    const fields = new MessageFields(this.#limits, kind);
    this.#decoder.decode(this.#pieces.length === 0 ? last : Buffer.concat([...this.#pieces, last]), fields);
    this.#stream = 0;
    this.#pieces = [];
    return { id, fields, kind, isLast: this.#isLast };
  }
}

/** Without padding and the fields of RFC 7540's priorities, which nobody uses any more. */
function headersContent(frame: FrameReader): Buffer {
  const content = withoutPadding(frame);
  if ((frame.flags & flag.priority) === 0) return content;
  if (content.length < 5) throw new ConnectionFault(errorCode.frameSize, "HEADERS is too short for its priority");
  if ((content.readUInt32BE(0) & 0x7fffffff) === frame.stream)
    throw new ConnectionFault(errorCode.protocol, "a stream depends on itself");
  return content.subarray(5);
}

/** The content of a frame that may be padded (RFC 9113 §6.1). */
export function withoutPadding({ flags, payload }: FrameReader): Buffer {
  if ((flags & flag.padded) === 0) return payload;
  const padding = payload[0];
  if (padding === undefined || padding >= payload.length)
    throw new ConnectionFault(errorCode.protocol, "a frame is all padding");
  return payload.subarray(1, payload.length - padding);
}
