import { within } from "../kit/sleep.ts";

/** Writes text somewhere and resolves when it is taken. */
export type WriteText = (text: string) => Promise<void>;

/** How much may wait for a slow reader, in characters; lines past it are dropped and counted. */
const defaultLimit = 4 * 1024 * 1024;
const batchSize = 64 * 1024;

/** Lines on their way to a stream: written in batches, one write at a time, never waiting for a slow reader. */
export class LineOutput {
  readonly #write: WriteText;
  readonly #limit: number;
  #waiting: string[] = [];
  #size = 0;
  #dropped = 0;
  #isBroken = false;
  #writing: Promise<void> | undefined;

  constructor(write: WriteText, limit = defaultLimit) {
    this.#write = write;
    this.#limit = limit;
  }

  /** Lines lost because nobody read. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes a line without its newline; true unless it is dropped. */
  add(line: string): boolean {
    if (this.#isBroken || this.#size + line.length > this.#limit) {
      this.#dropped++;
      return false;
    }
    this.#waiting.push(line);
    this.#size += line.length + 1;
    this.#writing ??= this.#drain();
    return true;
  }

  /** Waits until everything is written, at most `deadlineMs` milliseconds. */
  async flush(deadlineMs: number): Promise<void> {
    if (this.#writing !== undefined) await within(this.#writing, deadlineMs, undefined);
  }

  async #drain(): Promise<void> {
    // What is added in the same turn goes out in one write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#batch();
      try {
        await this.#write(batch);
      } catch {
        this.#breakOff();
      }
    }
    this.#writing = undefined;
  }

  #batch(): string {
    let count = 0;
    for (let size = 0; count < this.#waiting.length && size < batchSize; count++)
      size += this.#waiting[count]?.length ?? 0;
    const batch = `${this.#waiting.splice(0, count).join("\n")}\n`;
    this.#size -= batch.length;
    return batch;
  }

  /** The reader is gone for good. */
  #breakOff(): void {
    this.#isBroken = true;
    this.#dropped += this.#waiting.length;
    this.#waiting = [];
    this.#size = 0;
  }
}

/** Writes to one of the process's own streams; a reader that goes away makes it fail. */
export function writeTo(stream: NodeJS.WriteStream): WriteText {
  stream.on("error", () => {});
  return (text) =>
    new Promise((resolve, reject) => {
      stream.write(text, (error) => (error ? reject(error) : resolve()));
    });
}
