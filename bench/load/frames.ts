/** The header of a final binary frame with that many bytes of payload: RFC 6455 section 5.2, up to 64 KB. */
function headerOf(payloadBytes: number, maskBit: 0 | 0x80): readonly number[] {
  if (payloadBytes > 0xffff) throw new RangeError("messages over 64 KB are not measured");
  if (payloadBytes < 126) return [0x82, maskBit | payloadBytes];
  return [0x82, maskBit | 126, payloadBytes >> 8, payloadBytes & 0xff];
}

/**
 * A message of one session, as its client sends it and as the echo comes back. The masking key is zero, which RFC 6455 allows and
 * which makes both payloads the same bytes; so that no echo passes for another, the payload carries session and turn.
 */
export class EchoMessage {
  readonly sent: Buffer;
  readonly expected: Buffer;
  #turn = 0;

  constructor(session: number, payloadBytes: number) {
    const payload = Buffer.alloc(payloadBytes, "the quick brown fox jumps over the lazy dog ");
    payload.writeUInt32BE(session, 0);
    this.sent = Buffer.concat([Buffer.from(headerOf(payloadBytes, 0x80)), Buffer.alloc(4), payload]);
    this.expected = Buffer.concat([Buffer.from(headerOf(payloadBytes, 0)), payload]);
  }

  /** Makes the next message differ from the last one. */
  turn(): void {
    this.#turn = (this.#turn + 1) & 0xff;
    const payloadBytes = this.expected.length - headerBytes(this.expected);
    this.sent[this.sent.length - payloadBytes + 4] = this.#turn;
    this.expected[this.expected.length - payloadBytes + 4] = this.#turn;
  }
}

function headerBytes(frame: Buffer): number {
  return (frame[1] ?? 0) < 126 ? 2 : 4;
}

/** A masked Close frame with code 1000. */
export const closeFrame: Buffer = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);

const key = "dGhlIHNhbXBsZSBub25jZQ==";
const accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** The opening handshake, with the key of RFC 6455 section 1.3. */
export function handshakeTo(host: string): Buffer {
  const lines = ["GET / HTTP/1.1", `Host: ${host}`, "Upgrade: websocket", "Connection: Upgrade"];
  return Buffer.from([...lines, `Sec-WebSocket-Key: ${key}`, "Sec-WebSocket-Version: 13", "", ""].join("\r\n"));
}

/** Is this answer to `handshakeTo` complete and right? Undefined as long as bytes are missing. */
export function checkHandshake(answer: Buffer): "opened" | "refused" | undefined {
  if (answer.indexOf("\r\n\r\n") < 0) return undefined;
  const text = answer.toString("latin1");
  return text.startsWith("HTTP/1.1 101 ") && text.includes(accept) && text.endsWith("\r\n\r\n") ? "opened" : "refused";
}
