import { HeaderList } from "../../src/core/headers.ts";
import { acceptFor } from "../../src/core/websocket-handshake.ts";
import { FrameReader } from "../../src/dataplane/http2/frame-reader.ts";
import { flag, frameType, makeFrame, preface, settingsFrame } from "../../src/dataplane/http2/frames.ts";
import { HeaderDecoder } from "../../src/dataplane/http2/header-decoder.ts";
import { encodeHeaders } from "../../src/dataplane/http2/header-encoder.ts";

/** One connection to a peer: what came on it, and what is said on it. */
export class Http2PeerConnection {
  /** Types and streams of the frames that came. */
  readonly frames: { readonly type: number; readonly stream: number; readonly payload: Buffer }[] = [];
  readonly #write: (bytes: Uint8Array) => void;
  readonly #reader = new FrameReader();
  readonly #decoder = new HeaderDecoder();
  #hasBegun = false;
  isClosed = false;

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  send(type: number, flags: number, stream: number, payload: Uint8Array | string = ""): this {
    this.#write(makeFrame({ type, flags, stream }, typeof payload === "string" ? Buffer.from(payload) : payload));
    return this;
  }

  write(bytes: Uint8Array): this {
    this.#write(bytes);
    return this;
  }

  /** HEADERS with these fields, which end the stream unless `isLast` is false. */
  answer(stream: number, fields: Readonly<Record<string, string>>, isLast = true): this {
    const flags = flag.endHeaders | (isLast ? flag.endStream : 0);
    return this.send(frameType.headers, flags, stream, encodeHeaders(HeaderList.from(Object.entries(fields))));
  }

  /** The fields of each request that these bytes end, by their streams. */
  read(bytes: Buffer): { readonly stream: number; readonly fields: Record<string, string> }[] {
    const asked: { stream: number; fields: Record<string, string> }[] = [];
    this.#reader.add(bytes);
    if (!this.#hasBegun && this.#reader.take(preface.length) === undefined) return asked;
    this.#hasBegun = true;
    while (this.#reader.next()) {
      const { type, stream, payload } = this.#reader;
      this.frames.push({ type, stream, payload: Buffer.from(payload) });
      if (type !== frameType.headers) continue;
      const fields: Record<string, string> = {};
      this.#decoder.decode(payload, { onField: (name, value) => (fields[name] = value) });
      asked.push({ stream, fields });
    }
    return asked;
  }
}

export type Http2PeerScript = {
  /** Instead of SETTINGS without parameters. */
  readonly onOpen?: (connection: Http2PeerConnection) => void;
  readonly onRequest?: (
    connection: Http2PeerConnection,
    request: { readonly stream: number; readonly fields: Record<string, string>; readonly count: number },
  ) => void;
};

/** An upstream that says exactly the frames it is told, right or wrong; to HTTP/1.1 it answers with an open WebSocket, or with nothing. */
export class Http2Peer implements AsyncDisposable {
  readonly connections: Http2PeerConnection[] = [];
  /** Requests so far. */
  count = 0;
  readonly #server: Bun.TCPSocketListener<Http2PeerConnection>;

  private constructor(script: Http2PeerScript) {
    this.#server = Bun.listen<Http2PeerConnection>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = new Http2PeerConnection((bytes) => socket.write(bytes));
          this.connections.push(socket.data);
        },
        data: (socket, bytes) => {
          const text = bytes.toString("latin1");
          if (/^(?:GET|POST) /.test(text))
            return void socket.write(text.includes("Upgrade") ? switching(text) : nothing);
          const { data: connection } = socket;
          const isFirst = connection.frames.length === 0;
          const requests = connection.read(bytes);
          if (isFirst && script.onOpen === undefined) connection.write(settingsFrame([]));
          else if (isFirst) script.onOpen?.(connection);
          for (const request of requests) script.onRequest?.(connection, { ...request, count: ++this.count });
        },
        close: (socket) => {
          socket.data.isClosed = true;
        },
      },
    });
  }

  static open(script: Http2PeerScript): Http2Peer {
    return new Http2Peer(script);
  }

  get port(): number {
    return this.#server.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.stop(true);
  }
}

const nothing = "HTTP/1.1 204 No Content\r\n\r\n";

function switching(head: string): string {
  const key = /sec-websocket-key: (.*)\r\n/i.exec(head)?.[1] ?? "";
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`;
}
