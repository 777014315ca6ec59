/** Holds nothing. */
export const noBytes = new Uint8Array(0);

// Parameters and no object: this is what every answer and every handshake is made with.

/**
 * The bytes of a text in latin1; with others behind it, if there are any, and another text behind those. Much faster than Buffer.from, which
 * does not use the pool for a text that was put together.
 */
export function latin1(before: string, bytes: Uint8Array = noBytes, after = ""): Buffer {
  const all = Buffer.allocUnsafe(before.length + bytes.length + after.length);
  layLatin1(all, before, bytes, after);
  return all;
}

/** Puts the same at the beginning of `into`, which has the room, and returns how long it is. */
export function layLatin1(into: Buffer, before: string, bytes: Uint8Array, after: string): number {
  const end = before.length + bytes.length;
  if (before !== "") into.write(before, 0, "latin1");
  if (bytes.length > 0) into.set(bytes, before.length);
  if (after !== "") into.write(after, end, "latin1");
  return end + after.length;
}
