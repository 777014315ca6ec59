import { randomInt } from "node:crypto";
import { closeSync, existsSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import {
  blankHead,
  blankRegion,
  readTally,
  regionIn,
  sharedBytes,
  type Tally,
  tallyBytes,
  usedRegionsAt,
  usualShape,
} from "../../kit/shared-memory.ts";

/** The file that all workers map, and whose regions the control process hands out. It reads and writes it like any file. */
export class SharedFile implements Disposable {
  readonly #descriptor: number;
  readonly #used: Set<number>;

  private constructor(descriptor: number, used: Set<number>) {
    this.#descriptor = descriptor;
    this.#used = used;
  }

  /** Makes the file, or goes on with the one that is there. */
  static open(path: string): SharedFile {
    return existsSync(path) ? SharedFile.#find(path) : SharedFile.#make(path);
  }

  static #make(path: string): SharedFile {
    const descriptor = openSync(path, "wx+", 0o600);
    const head = blankHead(usualShape, randomInt(2 ** 31));
    writeSync(descriptor, head, 0, head.length, 0);
    // Regions become real when somebody gets them, so that a full disk is an error here and not a crash there.
    ftruncateSync(descriptor, sharedBytes(usualShape));
    return new SharedFile(descriptor, new Set());
  }

  static #find(path: string): SharedFile {
    const descriptor = openSync(path, "r+");
    const file = new SharedFile(descriptor, new Set());
    for (let region = 0; region < usualShape.regions; region++) {
      if (file.#read(regionIn(usualShape, region), 4).readInt32LE(0) !== 0) file.#used.add(region);
    }
    return file;
  }

  /** A region for a new worker, in which nothing is counted. */
  assign(): number {
    let region = 0;
    while (this.#used.has(region)) region++;
    if (region >= usualShape.regions) throw new Error("there are too many workers");
    const { bytes, at } = blankRegion(usualShape, region);
    writeSync(this.#descriptor, bytes, 0, bytes.length, at);
    this.#used.add(region);
    this.#tellUsed();
    return region;
  }

  /** Forgets what was counted in a region, and says what its worker had when it died. */
  release(region: number): Tally {
    const at = regionIn(usualShape, region);
    const tally = readTally(this.#read(at, tallyBytes));
    writeSync(this.#descriptor, new Uint8Array(4), 0, 4, at);
    this.#used.delete(region);
    this.#tellUsed();
    return tally;
  }

  /** Forgets what was counted in all other regions. */
  keepOnly(regions: ReadonlySet<number>): void {
    for (const region of [...this.#used]) if (!regions.has(region)) this.release(region);
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  #tellUsed(): void {
    const word = Buffer.alloc(4);
    word.writeInt32LE(Math.max(-1, ...this.#used) + 1);
    writeSync(this.#descriptor, word, 0, 4, usedRegionsAt);
  }

  #read(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    readSync(this.#descriptor, bytes, 0, length, at);
    return bytes;
  }
}
