/** Bytes that a socket of a test has not taken yet, in order. */
export class SendQueue {
  readonly #socket: Pick<Bun.Socket, "write" | "shutdown">;
  #pieces: Uint8Array[] = [];
  #isEnding = false;

  constructor(socket: Pick<Bun.Socket, "write" | "shutdown">) {
    this.#socket = socket;
  }

  /** How many they are. */
  get bytes(): number {
    return this.#pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  /** Text is latin1, a character a byte. */
  write(bytes: string | Uint8Array): void {
    this.#pieces.push(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    this.flush();
  }

  /** Ends the direction (FIN) once everything is written. */
  end(): void {
    this.#isEnding = true;
    this.flush();
  }

  /** The socket may take more. */
  flush(): void {
    while (this.#pieces[0] !== undefined) {
      const piece = this.#pieces[0];
      const taken = this.#socket.write(piece);
      if (taken < piece.length) {
        if (taken > 0) this.#pieces[0] = piece.subarray(taken);
        return;
      }
      this.#pieces.shift();
    }
    if (this.#isEnding) this.#socket.shutdown();
  }
}
