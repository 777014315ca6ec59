import { randomBytes } from "node:crypto";
import type { ProbeStream } from "./probe-stream.ts";

/** Opcodes of RFC 6455 §5.2, as far as a probe meets them. */
export const opcode = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const;

/** A frame that came; control frames may stand between the fragments of a message. */
export type ProbeFrame = { readonly opcode: number; readonly isFinal: boolean; readonly payload: Buffer };

/** Bytes of a frame that a probe takes. */
const mostPayload = 1024 * 1024;

/** A whole frame as a client sends it: masked (RFC 6455 §5.3). The payload has 65,535 bytes at most. */
export function maskedFrame(code: number, payload: Uint8Array): Buffer {
  const isShort = payload.length < 126;
  const head = Buffer.alloc(isShort ? 2 : 4);
  head[0] = 0x80 | code;
  head[1] = 0x80 | (isShort ? payload.length : 126);
  if (!isShort) head.writeUInt16BE(payload.length, 2);
  const mask = randomBytes(4);
  const masked = Buffer.from(payload);
  for (let at = 0; at < masked.length; at++) masked[at] = (masked[at] ?? 0) ^ (mask[at % 4] ?? 0);
  return Buffer.concat([head, mask, masked]);
}

/** Reads the frames that a server sends after its 101. */
export class FrameReader {
  readonly #stream: ProbeStream;
  #bytes: Buffer;

  /** `rest`: what came with the 101. */
  constructor(stream: ProbeStream, rest: Uint8Array) {
    this.#stream = stream;
    this.#bytes = Buffer.from(rest);
  }

  /** The next frame; rejects at the end of the connection. */
  async next(): Promise<ProbeFrame> {
    const [first = 0, second = 0] = await this.#take(2);
    if ((second & 0x80) !== 0) throw new Error("the server masks its frames");
    const length = await this.#length(second & 0x7f);
    if (length > mostPayload) throw new Error("a frame is longer than 1 MB");
    return { opcode: first & 0x0f, isFinal: (first & 0x80) !== 0, payload: await this.#take(length) };
  }

  async #length(short: number): Promise<number> {
    if (short === 126) return (await this.#take(2)).readUInt16BE();
    return short === 127 ? Number((await this.#take(8)).readBigUInt64BE()) : short;
  }

  async #take(count: number): Promise<Buffer> {
    while (this.#bytes.length < count) {
      const chunk = await this.#stream.read();
      if (chunk === undefined) throw new Error("the connection ended without a Close frame");
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
    }
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }
}
