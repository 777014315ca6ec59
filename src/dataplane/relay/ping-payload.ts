let lastPingNumber = Math.floor(Math.random() * 0x40000000);

/** Numbers the pings of this process. Never 0, which stands for no ping under way. */
export function nextPingNumber(): number {
  lastPingNumber = (lastPingNumber + 1) & 0x7fffffff || 1;
  return lastPingNumber;
}

const pingMark = Buffer.from("causeway");

/** Twelve bytes that no application would send by chance: a pong that carries them answers the gateway. */
export function pingPayload(number: number): Uint8Array {
  const payload = Buffer.alloc(pingMark.length + 4);
  pingMark.copy(payload);
  payload.writeUInt32BE(number, pingMark.length);
  return payload;
}

/** True for the payload of the ping of that number. */
export function isPingPayload(payload: Uint8Array, number: number): boolean {
  return payload.length === pingMark.length + 4 && Buffer.compare(payload, pingPayload(number)) === 0;
}
