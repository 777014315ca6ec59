/** Opcodes of RFC 6455 §5.2. */
export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Close codes that the gateway gives a meaning of its own (RFC 6455 §7.4.1 and the IANA registry). */
export const closeCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  /** Stands for a Close frame without a code; never on the wire. */
  none: 1005,
  tooBig: 1009,
  internal: 1011,
  serviceRestart: 1012,
  badGateway: 1014,
} as const;

/** Payload bytes a control frame can have at most (RFC 6455 §5.5). */
export const maxControlPayload = 125;

/** True for codes that may stand in a Close frame (RFC 6455 §7.4.2; 1004 to 1006 and 1015 are reserved). */
export function isSendableCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006;
}

/** A Close frame's payload: nothing for 1005, otherwise the code and as much of the reason as fits, cut between characters. */
export function closePayload(code: number, reason: string): Uint8Array {
  if (code === closeCode.none) return new Uint8Array(0);
  const payload = Buffer.alloc(maxControlPayload);
  payload.writeUInt16BE(code, 0);
  const { written } = new TextEncoder().encodeInto(reason, payload.subarray(2));
  return payload.subarray(0, 2 + written);
}

/** One control frame. What a client would send (towards an upstream) is masked, what a server sends is not. */
export function controlFrame(frame: { opcode: number; payload: Uint8Array; isMasked: boolean }): Uint8Array {
  const { payload, isMasked } = frame;
  const bytes = new Uint8Array((isMasked ? 6 : 2) + payload.length);
  bytes[0] = 0x80 | frame.opcode;
  bytes[1] = (isMasked ? 0x80 : 0) | payload.length;
  if (!isMasked) {
    bytes.set(payload, 2);
    return bytes;
  }
  const key = bytes.subarray(2, 6);
  crypto.getRandomValues(key);
  for (let at = 0; at < payload.length; at++) bytes[6 + at] = (payload[at] as number) ^ (key[at & 3] as number);
  return bytes;
}
