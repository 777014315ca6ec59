/** What a made frame shall be; final, unmasked and without content unless something else is said. */
export type FrameParts = {
  readonly opcode: number;
  readonly payload?: Uint8Array | string;
  readonly isFinal?: boolean;
  /** The reserved bits, as they stand in the first byte (0x40, 0x20, 0x10). */
  readonly reserved?: number;
  readonly mask?: Uint8Array;
  /** How the length is written, if not in its shortest form. */
  readonly lengthForm?: 7 | 16 | 64;
  /** The length that the header claims, if not that of the payload. */
  readonly claims?: bigint;
};

/** A mask like any other. */
export const someMask: Uint8Array = Uint8Array.of(0x12, 0x34, 0x56, 0x78);

/** One frame by RFC 6455 §5.2, written independently of the gateway's own code. */
export function makeFrame(parts: FrameParts): Buffer {
  const payload = Buffer.from(parts.payload ?? "");
  const length = parts.claims ?? BigInt(payload.length);
  const form = parts.lengthForm ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64);
  const maskBit = parts.mask === undefined ? 0 : 0x80;
  const head = Buffer.alloc(2 + (form === 7 ? 0 : form / 8));
  head[0] = ((parts.isFinal ?? true) ? 0x80 : 0) | (parts.reserved ?? 0) | parts.opcode;
  head[1] = maskBit | (form === 7 ? Number(length) : form === 16 ? 126 : 127);
  if (form === 16) head.writeUInt16BE(Number(length), 2);
  if (form === 64) head.writeBigUInt64BE(length, 2);
  const { mask } = parts;
  if (mask === undefined) return Buffer.concat([head, payload]);
  for (let at = 0; at < payload.length; at++) payload[at] = (payload[at] ?? 0) ^ (mask[at % 4] ?? 0);
  return Buffer.concat([head, mask, payload]);
}

/** The payload of a Close frame. */
export function closeContent(code: number, reason = ""): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
}

/** A frame as it was read, with its payload unmasked. */
export type ReadFrame = {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly isMasked: boolean;
  readonly payload: Buffer;
  /** For a Close frame: its code, 1005 if it has none. */
  readonly code?: number;
  readonly reason?: string;
};

/** Reads whole frames; `rest` is what is left after them. */
export function readFrames(bytes: Uint8Array): { frames: ReadFrame[]; rest: Buffer } {
  let rest = Buffer.from(bytes);
  const frames: ReadFrame[] = [];
  for (;;) {
    const read = readFrame(rest);
    if (read === undefined) return { frames, rest };
    frames.push(read.frame);
    rest = rest.subarray(read.length);
  }
}

function readFrame(bytes: Buffer): { frame: ReadFrame; length: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
  const isMasked = bytes.readUInt8(1) >= 0x80;
  const headLength = 2 + lengthBytes + (isMasked ? 4 : 0);
  if (bytes.length < headLength) return undefined;
  const size = lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const length = headLength + size;
  if (bytes.length < length) return undefined;
  const mask = bytes.subarray(headLength - 4, headLength);
  const raw = bytes.subarray(headLength, length);
  const payload = isMasked ? Buffer.from(raw.map((byte, at) => byte ^ (mask[at % 4] ?? 0))) : Buffer.from(raw);
  const opcode = bytes.readUInt8(0) & 0x0f;
  const frame = { opcode, isFinal: bytes.readUInt8(0) >= 0x80, isMasked, payload };
  if (opcode !== 8) return { frame, length };
  const code = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
  return { frame: { ...frame, code, reason: payload.subarray(2).toString() }, length };
}
