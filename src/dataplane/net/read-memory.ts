import { type Pointer, ptr } from "bun:ffi";

/** The most that one read brings (bytes). */
export const mostRead = 65_536;
/** What is shorter gets memory of its own, of just that size: copying it costs less than keeping four times as much alive (bytes). */
const worthCopying = 16_384;
/** How many pieces of memory wait for their next use at most: 4 MB. */
const mostSpare = 64;
const poison = 0xdb;

/** A piece of memory, with its address. */
type Piece = { readonly bytes: Buffer; readonly at: Pointer };

/**
 * Where sockets are read into. A long read is handed out with its memory, which comes back by `giveBack` once its bytes have gone out
 * again, so that it is still in the processor's caches for the next one.
 */
export class ReadMemory {
  readonly #spare: Piece[] = [];
  readonly #isChecking: boolean;
  #next = newPiece();
  /** What was handed out last with its memory, and that. */
  #lent: Buffer | undefined;
  #lentPiece: Piece | undefined;

  /** With `isChecking`, memory that comes back is overwritten: whoever still looked at it would see nothing but 0xdb. */
  constructor(isChecking: boolean) {
    this.#isChecking = isChecking;
  }

  /** Where the next read goes, `mostRead` bytes long. */
  get at(): Pointer {
    return this.#next.at;
  }

  /** The first bytes of what was read. They are the caller's. */
  take(length: number): Buffer {
    const piece = this.#next;
    if (length < worthCopying) {
      const copy = Buffer.allocUnsafeSlow(length);
      piece.bytes.copy(copy, 0, 0, length);
      return copy;
    }
    this.#next = this.#spare.pop() ?? newPiece();
    this.#lentPiece = piece;
    this.#lent = piece.bytes.subarray(0, length);
    return this.#lent;
  }

  /** Takes memory back that nobody will look at any more; false if it is not what was handed out last. */
  giveBack(bytes: Uint8Array): boolean {
    const piece = this.#lentPiece;
    if (bytes !== this.#lent || piece === undefined) return false;
    this.#lent = this.#lentPiece = undefined;
    if (this.#isChecking) bytes.fill(poison);
    if (this.#spare.length < mostSpare) this.#spare.push(piece);
    return true;
  }
}

function newPiece(): Piece {
  const bytes = Buffer.from(new ArrayBuffer(mostRead));
  return { bytes, at: ptr(bytes) };
}

/** That of this process, which has one thread that reads. */
export const readMemory = new ReadMemory(process.env.CAUSEWAY_CHECK_MEMORY === "1");
