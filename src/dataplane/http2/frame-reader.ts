import { ConnectionFault, errorCode, headSize, maxPayload } from "./frames.ts";

const nothing = Buffer.alloc(0);
/** What is first set aside for a frame that has not come whole, so that a client that stops there costs little (bytes). */
const smallPart = 256;

/** Finds frames in what comes on a connection. `next` puts the parts of one into the fields, so that a frame costs one view and no object. */
export class FrameReader {
  type = 0;
  flags = 0;
  stream = 0;
  payload: Buffer = nothing;
  #input: Buffer = nothing;
  #at = 0;
  /** The beginning of a frame that has not come whole; only this is ever copied. */
  #part: Buffer = nothing;
  #partSize = 0;

  add(bytes: Uint8Array): void {
    const fresh = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const isRead = this.#at === this.#input.length;
    this.#input = isRead ? fresh : Buffer.concat([this.#input.subarray(this.#at), fresh]);
    this.#at = 0;
  }

  /** Takes that many bytes that are no frame, before the first frame; undefined if they have not come. */
  take(count: number): Buffer | undefined {
    if (this.#input.length - this.#at < count) return undefined;
    this.#at += count;
    return this.#input.subarray(this.#at - count, this.#at);
  }

  /** False if no whole frame is there. Throws a ConnectionFault for one that is too long. */
  next(): boolean {
    if (this.#partSize > 0) return this.#completePart();
    const from = this.#at;
    const left = this.#input.length - from;
    if (left === 0) return this.#hasNone();
    const size = left < headSize ? headSize : frameSize(this.#input, from);
    if (left < size) {
      this.#fillPart(left, size);
      return this.#hasNone();
    }
    this.#at = from + size;
    return this.#found(this.#input.subarray(from, this.#at));
  }

  #completePart(): boolean {
    if (!this.#fillPart(headSize, headSize)) return this.#hasNone();
    const size = frameSize(this.#part, 0);
    if (!this.#fillPart(size, size)) return this.#hasNone();
    const frame = this.#part.subarray(0, size);
    this.#part = nothing;
    this.#partSize = 0;
    return this.#found(frame);
  }

  /** Fills the part up to that size with what has come; true if that was enough. `most` is how large it may become. */
  #fillPart(size: number, most: number): boolean {
    const count = Math.min(size - this.#partSize, this.#input.length - this.#at);
    if (count <= 0) return this.#partSize >= size;
    const needed = this.#partSize + count;
    if (needed > this.#part.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(most, Math.max(smallPart, needed * 2))));
      this.#part.copy(larger, 0, 0, this.#partSize);
      this.#part = larger;
    }
    this.#input.copy(this.#part, this.#partSize, this.#at, this.#at + count);
    this.#partSize = needed;
    this.#at += count;
    return needed >= size;
  }

  #found(frame: Buffer): true {
    this.type = frame[3] as number;
    this.flags = frame[4] as number;
    this.stream = frame.readUInt32BE(5) & 0x7fffffff;
    this.payload = frame.subarray(headSize);
    return true;
  }

  /** Everything is read: nothing of it is kept alive. */
  #hasNone(): false {
    this.#input = this.payload = nothing;
    this.#at = 0;
    return false;
  }
}

function frameSize(bytes: Buffer, at: number): number {
  const length = bytes.readUIntBE(at, 3);
  if (length > maxPayload) throw new ConnectionFault(errorCode.frameSize, `a frame is longer than ${maxPayload} bytes`);
  return headSize + length;
}
