/**
 * The code of RFC 7541 Appendix B. It is canonical: the lengths (bits) alone define it, shorter codes first and then by symbol. Symbol 256
 * is the end of the text.
 */
const symbolsByLength: ReadonlyMap<number, readonly number[]> = new Map([
  [5, codes("012aceiost")],
  [6, codes(" %-./3456789=A_bdfghlmnpru")],
  [7, codes(":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz")],
  [8, codes("&*,;XZ")],
  [10, codes('!"()?')],
  [11, codes("'+|")],
  [12, codes("#>")],
  [13, [0, ...codes("$@[]~")]],
  [14, codes("^}")],
  [15, codes("<`{")],
  [19, [92, 195, 208]],
  [20, [128, 130, 131, 162, 184, 194, 224, 226]],
  [21, [153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230]],
  [
    22,
    [
      ...[129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196],
      ...[198, 228, 232, 233],
    ],
  ],
  [
    23,
    [
      ...[1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174, 175, 180],
      ...[182, 183, 188, 191, 197, 231, 239],
    ],
  ],
  [24, [9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237]],
  [25, [199, 207, 234, 235]],
  [26, [192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255]],
  [27, [203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254]],
  [
    28,
    [2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127, 220, 249],
  ],
  [30, [10, 13, 22, 256]],
]);

function codes(text: string): number[] {
  return Array.from(text, (char) => char.charCodeAt(0));
}

/** Symbols in the order of their codes, and by length the first code and where its symbols begin. */
const symbols: number[] = [];
const firstCode = new Float64Array(32);
const firstIndex = new Int32Array(32);
const countOf = new Int32Array(32);
let code = 0;
for (let length = 1; length <= 30; length++) {
  const ofLength = symbolsByLength.get(length) ?? [];
  firstCode[length] = code;
  firstIndex[length] = symbols.length;
  countOf[length] = ofLength.length;
  symbols.push(...ofLength);
  code = (code + ofLength.length) * 2;
}

const shortest = 5;
/** What up to eight bits in front mean: the symbol and its length, or 0 for a longer code. */
const quick = new Uint16Array(256);
for (let length = shortest; length <= 8; length++) {
  for (let nth = 0; nth < (countOf[length] as number); nth++) {
    const first = ((firstCode[length] as number) + nth) << (8 - length);
    quick.fill(
      (length << 8) | (symbols[(firstIndex[length] as number) + nth] as number),
      first,
      first + (1 << (8 - length)),
    );
  }
}

/** The text in latin1, or undefined if it is not coded as it has to be (RFC 7541 §5.2). */
export function decodeHuffman(bytes: Uint8Array, from: number, end: number): string | undefined {
  const out = Buffer.allocUnsafe(((end - from) * 8) / shortest + 1);
  let size = 0;
  let bits = 0;
  let held = 0;
  let at = from;
  for (;;) {
    while (held < 8 && at < end) {
      bits = ((bits << 8) | (bytes[at++] as number)) & 0xffff;
      held += 8;
    }
    if (held === 0) break;
    const front = held >= 8 ? (bits >> (held - 8)) & 0xff : ((bits << (8 - held)) | (0xff >> held)) & 0xff;
    const found = quick[front] as number;
    const length = found >> 8;
    if (found !== 0 && length <= held) {
      out[size++] = found & 0xff;
      held -= length;
      bits &= (1 << held) - 1;
      continue;
    }
    if (found !== 0 || at === end) {
      // Padding is shorter than a byte and made of ones.
      if (held < 8 && bits === (1 << held) - 1) break;
      if (held < 8) return undefined;
    }
    const long = readLong(bytes, { at, end, bits, held });
    if (long === undefined) return undefined;
    out[size++] = long.symbol;
    ({ at, bits, held } = long);
  }
  return out.toString("latin1", 0, size);
}

type Position = { readonly at: number; readonly end: number; readonly bits: number; readonly held: number };

/** A code of more than eight bits, which texts of headers hardly hold. */
function readLong(
  bytes: Uint8Array,
  from: Position,
): { symbol: number; at: number; bits: number; held: number } | undefined {
  let { at, bits, held } = from;
  let value = 0;
  for (let length = 1; length <= 30; length++) {
    if (held === 0) {
      if (at === from.end) return undefined;
      bits = bytes[at++] as number;
      held = 8;
    }
    held--;
    value = value * 2 + ((bits >> held) & 1);
    bits &= (1 << held) - 1;
    const offset = value - (firstCode[length] as number);
    if (offset < 0 || offset >= (countOf[length] as number)) continue;
    const symbol = symbols[(firstIndex[length] as number) + offset] as number;
    return symbol === 256 ? undefined : { symbol, at, bits, held };
  }
  return undefined;
}
