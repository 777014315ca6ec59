/**
 * Two independent 32-bit hashes of a text: FNV-1a and a multiplicative one, finished as in MurmurHash3. `seed` keeps strangers from choosing
 * texts that collide.
 */
export function hashText(text: string, seed: number): { readonly high: number; readonly low: number } {
  let high = 0x811c9dc5 ^ seed;
  let low = 0x9e3779b9 ^ Math.imul(seed, 0x85ebca6b);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul((low << 5) ^ (low >>> 27) ^ unit, 0x9e3779b1);
  }
  return { high: mixed(high ^ text.length), low: mixed(low + text.length) };
}

/** Every bit of the input reaches every bit of the output. */
function mixed(value: number): number {
  let bits = value ^ (value >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
