const pool = Buffer.alloc(4096);
let used = pool.length;

/**
 * Unpredictable bytes as text. They come from a pool that is filled anew when it is used up: asking the system for every 16 of them
 * takes five times as long. `bytes` is 4,096 at most.
 */
export function randomText(bytes: number, encoding: "hex" | "base64"): string {
  if (used + bytes > pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  const from = used;
  used += bytes;
  return pool.toString(encoding, from, used);
}
