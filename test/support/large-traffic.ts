import { randomFillSync } from "node:crypto";
import { crc32 } from "node:zlib";
import { until } from "./until.ts";

/** Bytes of a megabyte, the size of a piece. */
export const megabyte = 1 << 20;

/** Two megabytes of what `piece` cuts from. */
export const stuff = randomFillSync(Buffer.alloc(2 * megabyte));

/** Random content that does not repeat from one piece to the next, so that nothing can be lost, doubled or swapped unseen. */
export function piece(at: number): Buffer {
  return stuff.subarray((at * 7919) % megabyte).subarray(0, megabyte);
}

/** Somebody who takes bytes, and says how many of them wait. */
export type Sender = { write(bytes: Uint8Array): unknown; readonly queued: number };
type Hearer = { onBytes: ((bytes: Buffer) => void) | undefined; readonly count: number };

/** Writes `size` bytes a few at a time, and returns their checksum. */
export async function pour(to: Sender, size: number): Promise<number> {
  let sum = 0;
  for (let at = 0; at < size / megabyte; at++) {
    sum = crc32(piece(at), sum);
    to.write(piece(at));
    if (to.queued > 4 * megabyte) await until(() => to.queued <= megabyte, 20_000);
  }
  return sum;
}

/** Sums up what comes from now on, but for the first `skipped` bytes. */
export function summing(from: Hearer, skipped: number): { sum: number; count: number } {
  const seen = { sum: 0, count: -skipped };
  from.onBytes = (bytes) => {
    const before = Math.min(Math.max(-seen.count, 0), bytes.length);
    seen.sum = crc32(bytes.subarray(before), seen.sum);
    seen.count += bytes.length;
  };
  return seen;
}
