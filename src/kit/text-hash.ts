/** 32 bits of a text, unsigned: the same in every process, and spread evenly even for texts that hardly differ (FNV-1a, then `mix`). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mix(hash);
}

/** Two hashes of a text that have nothing to do with each other, each 32 bits, unsigned. `seed` keeps strangers from choosing texts that collide. */
export function hashPair(text: string, seed: number): { readonly high: number; readonly low: number } {
  let high = 0x811c9dc5 ^ seed;
  let low = 0x9e3779b9 ^ Math.imul(seed, 0x85ebca6b);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul((low << 5) ^ (low >>> 27) ^ unit, 0x9e3779b1);
  }
  return { high: mix(high ^ text.length), low: mix(low + text.length) };
}

/** Other 32 bits for each 32 bits, unsigned; one changed bit changes half of them (the last step of MurmurHash3). */
export function mix(bits: number): number {
  let mixed = bits ^ (bits >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
