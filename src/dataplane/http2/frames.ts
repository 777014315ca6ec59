/** RFC 9113 §6. */
export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Bits of a frame's flags; which of them mean something depends on its type. */
export const flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

/** RFC 9113 §7. */
export const errorCode = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
  http11Required: 13,
} as const;

/** Parameters of SETTINGS: RFC 9113 §6.5.2, RFC 8441 §3 and RFC 9218 §2.1. */
export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
  noPriorities: 9,
} as const;

/** Length of the head of a frame, and of the longest payload that is taken and sent here (bytes). */
export const headSize = 9;
export const maxPayload = 16_384;
/** Windows before anything is said about them, and at most (bytes). */
export const usualWindow = 65_535;
export const maxWindow = 0x7fffffff;

/** What a client begins with (RFC 9113 §3.4). */
export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Breaks the connection: GOAWAY with this code. */
export class ConnectionFault extends Error {
  override readonly name = "ConnectionFault";
  readonly code: number;
  /** The limit that was exceeded, as the metric calls it. */
  readonly limit: string | undefined;

  constructor(code: number, says: string, limit?: string) {
    super(says);
    this.code = code;
    this.limit = limit;
  }
}

/** Breaks one stream: RST_STREAM with this code. */
export class StreamFault extends Error {
  override readonly name = "StreamFault";
  readonly code: number;

  constructor(code: number, says: string) {
    super(says);
    this.code = code;
  }
}

/** What a frame is, and of which stream; 0 is the connection (RFC 9113 §4.1). */
export type FrameHead = { readonly type: number; readonly flags: number; readonly stream: number };

/** A frame as it is sent. */
export function makeFrame(head: FrameHead, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headSize + payload.length);
  writeHead(frame, head, payload.length);
  frame.set(payload, headSize);
  return frame;
}

function writeHead(frame: Buffer, head: FrameHead, length: number): void {
  frame.writeUIntBE(length, 0, 3);
  frame[3] = head.type;
  frame[4] = head.flags;
  frame.writeUInt32BE(head.stream, 5);
}

/** A frame whose payload is one number of 32 bits: WINDOW_UPDATE and RST_STREAM. */
export function numberFrame(type: number, stream: number, value: number): Buffer {
  const frame = Buffer.allocUnsafe(headSize + 4);
  writeHead(frame, { type, flags: 0, stream }, 4);
  frame.writeUInt32BE(value, headSize);
  return frame;
}

/** SETTINGS with these parameters. */
export function settingsFrame(parameters: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.allocUnsafe(parameters.length * 6);
  for (const [at, [id, value]] of parameters.entries()) {
    payload.writeUInt16BE(id, at * 6);
    payload.writeUInt32BE(value, at * 6 + 2);
  }
  return makeFrame({ type: frameType.settings, flags: 0, stream: 0 }, payload);
}

/** GOAWAY: streams above `last` were not, and will not be, looked at. */
export function goAwayFrame(last: number, code: number, says: string): Buffer {
  const payload = Buffer.alloc(8 + says.length);
  payload.writeUInt32BE(last, 0);
  payload.writeUInt32BE(code, 4);
  payload.write(says, 8, "latin1");
  return makeFrame({ type: frameType.goAway, flags: 0, stream: 0 }, payload);
}

/** A header block as HEADERS and, if it is long, CONTINUATION. */
export function headerFrames(stream: number, block: Uint8Array, isLast: boolean): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < block.length; at += maxPayload) {
    const piece = block.subarray(at, at + maxPayload);
    const end = at + maxPayload >= block.length ? flag.endHeaders : 0;
    const type = at === 0 ? frameType.headers : frameType.continuation;
    const flags = end | (at === 0 && isLast ? flag.endStream : 0);
    frames.push(makeFrame({ type, flags, stream }, piece));
  }
  const [only] = frames;
  return frames.length === 1 && only !== undefined ? only : Buffer.concat(frames);
}
