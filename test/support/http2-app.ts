import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { markSecure, testSite } from "./test-certificates.ts";
import { socketOn, WsPeer } from "./ws.ts";

export type Http2AppOptions = {
  /** What it does with a request; it answers with an empty 200 unless this is given. */
  readonly onStream?: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;
  /** What it does with every new WebSocket. */
  readonly onPeer?: (peer: WsPeer, headers: http2.IncomingHttpHeaders) => void;
  /** Beside extended CONNECT, which is offered unless this says otherwise. */
  readonly settings?: http2.Settings;
  readonly isSecure?: boolean;
  /** Over TLS, also what speaks HTTP/1.1. */
  readonly onHttp1?: Parameters<typeof http2.createSecureServer>[1];
};

/** An application that speaks HTTP/2, made with node:http2, with WebSockets on streams (RFC 8441). */
export class Http2App implements AsyncDisposable {
  readonly peers: WsPeer[] = [];
  readonly sessions: http2.ServerHttp2Session[] = [];
  readonly server: http2.Http2Server | http2.Http2SecureServer;
  readonly #options: Http2AppOptions;
  #mark: Disposable | undefined;

  private constructor(server: http2.Http2Server | http2.Http2SecureServer, options: Http2AppOptions) {
    this.server = server;
    this.#options = options;
    server.on("session", (session) => {
      this.sessions.push(session);
      session.on("error", () => {});
    });
    server.on("stream", (stream, headers) => this.#onStream(stream, headers));
  }

  static async open(options: Http2AppOptions = {}): Promise<Http2App> {
    const settings = { enableConnectProtocol: true, ...options.settings };
    const server =
      options.isSecure === true
        ? http2.createSecureServer(
            { ...testSite(), settings, allowHTTP1: options.onHttp1 !== undefined },
            options.onHttp1,
          )
        : http2.createServer({ settings });
    const app = new Http2App(server, options);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    if (options.isSecure === true) app.#mark = markSecure(app.port);
    return app;
  }

  get port(): number {
    // A server on a TCP port has an address of this kind.
    return (this.server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#mark?.[Symbol.dispose]();
    for (const peer of this.peers) peer.socket.terminate();
    for (const session of this.sessions) session.destroy();
    this.server.close();
  }

  #onStream(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
    stream.on("error", () => {});
    const isHandshake = headers[":method"] === "CONNECT" && headers[":protocol"] === "websocket";
    if (isHandshake && this.#options.onPeer !== undefined) {
      stream.respond({ ":status": 200 });
      const peer = new WsPeer(socketOn(stream));
      this.peers.push(peer);
      return this.#options.onPeer(peer, headers);
    }
    if (this.#options.onStream !== undefined) return this.#options.onStream(stream, headers);
    stream.respond({ ":status": 200 }, { endStream: true });
  }
}
