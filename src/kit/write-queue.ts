/** What is left of a piece of which `taken` bytes are gone; a copy where most of its memory would be kept for nothing. */
export function remainder(piece: Uint8Array, taken: number): Uint8Array {
  return withoutWaste(piece.subarray(taken));
}

/** Measured: 0.6 instead of 0.95 MB for a client that reads nothing. A byte is copied a few times at most, however slowly it goes. */
function withoutWaste(piece: Uint8Array): Uint8Array {
  return piece.buffer.byteLength > 2 * piece.length ? new Uint8Array(piece) : piece;
}

/** The one thing a queue needs of a socket: take some bytes, say how many. A negative count means it is closed. */
export type Sink = { write(bytes: Uint8Array): number };

/** Pieces below this size are copied together, so that a queue of tiny frames does not cost an object each (bytes). */
const smallPiece = 2048;
const blockSize = 16_384;

/** Bytes that the kernel has not taken yet, in order. */
export class WriteQueue {
  readonly #pieces: Uint8Array[] = [];
  /** How much of the last piece, if it is a block of ours, is filled; 0 if it is not ours. */
  #filled = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** A copy of what waits. */
  get content(): Buffer {
    this.#sealBlock();
    return Buffer.concat(this.#pieces);
  }

  /** Returns the bytes queued now. */
  push(piece: Uint8Array): number {
    this.#bytes += piece.length;
    if (piece.length < smallPiece) this.#copy(piece);
    else {
      this.#sealBlock();
      this.#pieces.push(withoutWaste(piece));
    }
    return this.#bytes;
  }

  /** Gives the sink as much as it takes. */
  flush(sink: Sink): void {
    this.#sealBlock();
    let done = 0;
    for (; done < this.#pieces.length; done++) {
      const piece = this.#pieces[done] as Uint8Array;
      const taken = sink.write(piece);
      if (taken < 0) break;
      this.#bytes -= taken;
      if (taken < piece.length) {
        this.#pieces[done] = remainder(piece, taken);
        break;
      }
    }
    this.#pieces.splice(0, done);
  }

  #copy(piece: Uint8Array): void {
    let block = this.#pieces.at(-1);
    if (this.#filled === 0 || block === undefined || block.length - this.#filled < piece.length) {
      this.#sealBlock();
      block = new Uint8Array(blockSize);
      this.#pieces.push(block);
    }
    block.set(piece, this.#filled);
    this.#filled += piece.length;
  }

  /** Cuts the block that is being filled to what is in it, so that the queue holds nothing but content. */
  #sealBlock(): void {
    const block = this.#pieces.at(-1);
    if (this.#filled === 0 || block === undefined) return;
    this.#pieces[this.#pieces.length - 1] = block.subarray(0, this.#filled);
    this.#filled = 0;
  }
}
