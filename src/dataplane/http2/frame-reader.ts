import { ConnectionFault, errorCode, headSize, maxPayload } from "./frames.ts";

const nothing = Buffer.alloc(0);

/** Finds frames in what comes on a connection. `next` puts the parts of one into the fields, so that a frame costs one view and no object. */
export class FrameReader {
  type = 0;
  flags = 0;
  stream = 0;
  payload: Buffer = nothing;
  #input: Buffer = nothing;
  #at = 0;

  /** Bytes of a frame that has not come whole. */
  get size(): number {
    return this.#input.length - this.#at;
  }

  add(bytes: Uint8Array): void {
    const fresh = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#input = this.size === 0 ? fresh : Buffer.concat([this.#input.subarray(this.#at), fresh]);
    this.#at = 0;
  }

  /** Takes that many bytes that are no frame; undefined if they have not come. */
  take(count: number): Buffer | undefined {
    if (this.size < count) return undefined;
    const bytes = this.#input.subarray(this.#at, this.#at + count);
    this.#at += count;
    return bytes;
  }

  /** False if no whole frame is there. Throws a ConnectionFault for one that is too long. */
  next(): boolean {
    const input = this.#input;
    const at = this.#at;
    if (input.length - at < headSize) return this.#keepRest();
    const length = input.readUIntBE(at, 3);
    if (length > maxPayload) throw new ConnectionFault(errorCode.frameSize, "a frame is longer than 16384 bytes");
    const end = at + headSize + length;
    if (input.length < end) return this.#keepRest();
    this.type = input[at + 3] as number;
    this.flags = input[at + 4] as number;
    this.stream = input.readUInt32BE(at + 5) & 0x7fffffff;
    this.payload = input.subarray(at + headSize, end);
    this.#at = end;
    return true;
  }

  /** A copy, so that a frame's beginning does not keep what came before it. */
  #keepRest(): false {
    this.payload = nothing;
    if (this.#at > 0) this.#input = this.size === 0 ? nothing : Buffer.from(this.#input.subarray(this.#at));
    this.#at = 0;
    return false;
  }
}
