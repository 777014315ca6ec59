// The few parts of DER (ITU-T X.690) that a certificate is made of.

/** One encoded value. */
export type Der = Uint8Array;

/** A value of this tag around these contents. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Der {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

/** SEQUENCE. */
export function sequence(...values: readonly Der[]): Der {
  return der(0x30, ...values);
}

/** SET with one member. */
export function setOf(value: Der): Der {
  return der(0x31, value);
}

/** INTEGER, not negative, from its big-endian bytes. */
export function integer(bytes: Uint8Array): Der {
  const first = bytes.findIndex((byte) => byte !== 0);
  const trimmed = first < 0 ? Uint8Array.of(0) : bytes.subarray(first);
  return (trimmed[0] ?? 0) >= 0x80 ? der(0x02, Uint8Array.of(0), trimmed) : der(0x02, trimmed);
}

/** OBJECT IDENTIFIER from its dotted form. */
export function objectId(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return der(0x06, Uint8Array.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): readonly number[] {
  const bytes = [value & 0x7f];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift((rest & 0x7f) | 0x80);
  return bytes;
}

/** UTF8String. */
export function utf8(text: string): Der {
  return der(0x0c, Buffer.from(text));
}

/** OCTET STRING around an encoded value. */
export function octets(value: Uint8Array): Der {
  return der(0x04, value);
}

/** BIT STRING of whole bytes, the last of which may leave bits unused. */
export function bits(bytes: Uint8Array, unused = 0): Der {
  return der(0x03, Uint8Array.of(unused), bytes);
}

/** BOOLEAN true. */
export const truth: Der = der(0x01, Uint8Array.of(0xff));

/** UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5). */
export function time(at: Date): Der {
  const text = at.toISOString().replace(/[-:T]|\.\d+/g, "");
  return at.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}
