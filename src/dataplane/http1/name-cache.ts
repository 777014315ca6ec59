/** How many names are kept, a power of two, and how long they may be. */
const slots = 512;
const longestName = 40;

/**
 * Texts of header names, as they were spelled and in lower case. Peers send the same few names again and again, so they are made
 * once; a name that takes the place of another only costs the other's next use. It is bounded, whatever is sent.
 */
export class NameCache {
  readonly #names: string[] = new Array<string>(slots).fill("");
  readonly #keys: string[] = new Array<string>(slots).fill("");
  /** The name that was found last, in lower case. */
  key = "";

  /** The name at `bytes[from..to)`; `hash` is any number that the bytes determine. Sets `key`. */
  find(bytes: Buffer, hash: number, from: number, to: number): string {
    const slot = (hash ^ (hash >>> 9)) & (slots - 1);
    const known = this.#names[slot] as string;
    if (isSpelled(known, bytes, from, to)) {
      this.key = this.#keys[slot] as string;
      return known;
    }
    const name = bytes.toString("latin1", from, to);
    this.key = name.toLowerCase();
    if (name.length <= longestName) {
      this.#names[slot] = name;
      this.#keys[slot] = this.key;
    }
    return name;
  }
}

function isSpelled(name: string, bytes: Buffer, from: number, to: number): boolean {
  const { length } = name;
  if (length !== to - from) return false;
  for (let at = 0; at < length; at++) if (name.charCodeAt(at) !== bytes[from + at]) return false;
  return true;
}
