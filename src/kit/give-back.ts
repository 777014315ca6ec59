/**
 * Gives the memory of bytes back that nobody needs any more: the next ones find it still in the processor's caches, and need no page
 * of their own. Does nothing if they are a part of something larger. From then on their length is 0.
 */
export function giveBack(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
