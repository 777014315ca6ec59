import { type Pointer, ptr } from "bun:ffi";

/** The most that one read brings (bytes). */
export const mostRead = 65_536;
/** What is shorter gets memory of its own, of just that size: copying it costs less than keeping four times as much alive (bytes). */
const worthCopying = 16_384;
/** How many pieces of memory wait for their next use at most: 4 MB. */
const mostSpare = 64;
const poison = 0xdb;

/**
 * Where sockets are read into. A long read is handed out with its memory, which comes back by `giveBack` once its bytes have gone out
 * again, so that it is still in the processor's caches for the next one.
 */
export class ReadMemory {
  readonly #spare: ArrayBuffer[] = [];
  readonly #isChecking: boolean;
  #next = new ArrayBuffer(mostRead);
  #bytes = Buffer.from(this.#next);
  #at = ptr(this.#bytes);

  /** With `isChecking`, memory that comes back is overwritten: whoever still looked at it would see nothing but 0xdb. */
  constructor(isChecking: boolean) {
    this.#isChecking = isChecking;
  }

  /** Where the next read goes, `mostRead` bytes long. */
  get at(): Pointer {
    return this.#at;
  }

  /** The first bytes of what was read. They are the caller's. */
  take(length: number): Buffer {
    if (length < worthCopying) {
      const copy = Buffer.allocUnsafeSlow(length);
      this.#bytes.copy(copy, 0, 0, length);
      return copy;
    }
    const taken = this.#bytes.subarray(0, length);
    this.#next = this.#spare.pop() ?? new ArrayBuffer(mostRead);
    this.#bytes = Buffer.from(this.#next);
    this.#at = ptr(this.#bytes);
    return taken;
  }

  /** Takes memory back that nobody will look at any more; false if it is not of this kind. */
  giveBack(bytes: Uint8Array): boolean {
    const { buffer } = bytes;
    if (buffer.byteLength !== mostRead || !(buffer instanceof ArrayBuffer)) return false;
    if (this.#isChecking) bytes.fill(poison);
    if (this.#spare.length < mostSpare) this.#spare.push(buffer);
    return true;
  }
}

/** That of this process, which has one thread that reads. */
export const readMemory = new ReadMemory(process.env.CAUSEWAY_CHECK_MEMORY === "1");
