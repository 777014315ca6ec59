import { flag, frameType, makeFrame, numberFrame, preface, settingsFrame } from "../../src/dataplane/http2/frames.ts";
import { HeaderDecoder } from "../../src/dataplane/http2/header-decoder.ts";
import { RawClient } from "./raw-client.ts";

/** A frame that came. */
export type HeardFrame = {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
};

/** What a stream got: its header fields (the trailers too), its content, and how it ended. */
export type HeardStream = {
  readonly fields: Record<string, string>;
  readonly content: Buffer;
  readonly isEnded: boolean;
  readonly reset: number | undefined;
};

/** The usual fields of a request, and of a handshake over HTTP/2. */
export const getFields = { ":method": "GET", ":scheme": "http", ":path": "/", ":authority": "app.example" };
export const connectFields = {
  ...getFields,
  ":method": "CONNECT",
  ":protocol": "websocket",
  "sec-websocket-version": "13",
};

type FieldPairs = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

/** Says exactly the frames it is told, and reads what comes. It heeds no window and acknowledges nothing by itself. */
export class Http2Client implements AsyncDisposable {
  readonly raw: RawClient;

  private constructor(raw: RawClient) {
    this.raw = raw;
  }

  /** Connects, and begins as clients do. */
  static async open(port: number): Promise<Http2Client> {
    const client = new Http2Client(await RawClient.open(port));
    client.raw.write(preface).write(settingsFrame([]));
    return client;
  }

  send(type: number, flags: number, stream: number, payload: Uint8Array | string = ""): this {
    this.raw.write(makeFrame({ type, flags, stream }, typeof payload === "string" ? Buffer.from(payload) : payload));
    return this;
  }

  /** HEADERS with these fields; `end` says that they are all there is. */
  ask(stream: number, fields: FieldPairs = getFields, end = true): this {
    return this.send(frameType.headers, flag.endHeaders | (end ? flag.endStream : 0), stream, block(fields));
  }

  reset(stream: number): this {
    this.raw.write(numberFrame(frameType.reset, stream, 8));
    return this;
  }

  /** Everything that came as whole frames. */
  get frames(): HeardFrame[] {
    const { received } = this.raw;
    const frames: HeardFrame[] = [];
    for (let at = 0; at + 9 <= received.length; ) {
      const end = at + 9 + received.readUIntBE(at, 3);
      if (end > received.length) break;
      const [type, flags] = [received[at + 3] as number, received[at + 4] as number];
      frames.push({ type, flags, stream: received.readUInt32BE(at + 5), payload: received.subarray(at + 9, end) });
      at = end;
    }
    return frames;
  }

  /** The code of the last GOAWAY, if one came. */
  get goAway(): number | undefined {
    return this.frames.findLast(({ type }) => type === frameType.goAway)?.payload.readUInt32BE(4);
  }

  heard(id: number): HeardStream {
    const fields: Record<string, string> = {};
    const content: Buffer[] = [];
    const decoder = new HeaderDecoder();
    let isEnded = false;
    let reset: number | undefined;
    for (const { type, flags, stream, payload } of this.frames) {
      if (type === frameType.headers) {
        const sink = {
          onField: (name: string, value: string) => stream === id && Object.assign(fields, { [name]: value }),
        };
        decoder.decode(payload, sink);
      }
      if (stream !== id) continue;
      if (type === frameType.data) content.push(payload);
      if (type === frameType.reset) reset = payload.readUInt32BE(0);
      if (type <= frameType.headers && (flags & flag.endStream) !== 0) isEnded = true;
    }
    return { fields, content: Buffer.concat(content), isEnded, reset };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.raw[Symbol.asyncDispose]();
  }
}

/** A header block of literals. */
export function block(fields: FieldPairs): Buffer {
  const pairs: readonly (readonly [string, string])[] = Array.isArray(fields) ? fields : Object.entries(fields);
  return Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  const length = bytes.length;
  if (length < 127) return Buffer.concat([Buffer.of(length), bytes]);
  const rest = length - 127;
  return Buffer.concat([Buffer.of(127, 0x80 | (rest & 127), 0x80 | ((rest >> 7) & 127), rest >> 14), bytes]);
}
