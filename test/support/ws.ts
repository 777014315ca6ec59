import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { ClientOptions, ServerOptions, WebSocket as Socket } from "ws";
import { within } from "../../src/kit/sleep.ts";
import { wayTo } from "./http2-bridge.ts";
import { backendTls, isSecurePort, markSecure, testAuthority, testSite } from "./test-certificates.ts";

// Bun puts an implementation of its own in the place of "ws"; its file is the real one, a peer that is independent of us.
const { WebSocket, WebSocketServer }: typeof import("ws") = await import(
  new URL("../../node_modules/ws/wrapper.mjs", import.meta.url).href
);

/** How a socket ended: 1005 is a Close without a code, 1006 no Close at all. */
export type WsEnd = { readonly code: number; readonly reason: string };

/** How a peer connects; over TLS if it is told to, or if the port belongs to a gateway of the tests that speaks it. */
export type WsPeerOptions = ClientOptions & { path?: string; host?: string; isSecure?: boolean };

/** One end of a WebSocket, of either role, that remembers what it got. */
export class WsPeer {
  readonly socket: Socket;
  readonly messages: Buffer[] = [];
  readonly ended: Promise<WsEnd>;
  end: WsEnd | undefined;
  /** What is done with each message beside keeping it; with `keeps: false` nothing is kept. */
  onMessage: ((message: Buffer, isBinary: boolean) => void) | undefined;
  keeps = true;

  constructor(socket: Socket) {
    this.socket = socket;
    this.ended = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        this.end = { code, reason: reason.toString() };
        resolve(this.end);
      });
    });
    socket.on("message", (message: Buffer, isBinary) => {
      if (this.keeps) this.messages.push(message);
      this.onMessage?.(message, isBinary);
    });
    socket.on("error", () => {});
  }

  /** Opens a socket; rejects with the status of a refused handshake. */
  static async open(to: number, options: WsPeerOptions = {}): Promise<WsPeer> {
    const port = await wayTo(to);
    const { path = "/", host, isSecure = isSecurePort(port), ...rest } = options;
    const headers = { ...rest.headers, ...(host === undefined ? {} : { Host: host }) };
    const scheme = isSecure ? "wss" : "ws";
    const tls = isSecure ? { ca: testAuthority().cert } : {};
    const socket = new WebSocket(`${scheme}://127.0.0.1:${port}${path}`, {
      perMessageDeflate: false,
      ...tls,
      ...rest,
      headers,
    });
    const peer = new WsPeer(socket);
    return new Promise((resolve, reject) => {
      socket.on("open", () => resolve(peer));
      socket.on("unexpected-response", (request, response) => {
        request.destroy();
        reject(new Error(`status ${response.statusCode}`));
      });
      socket.on("error", reject);
    });
  }

  send(message: string | Uint8Array): void {
    this.socket.send(message);
  }

  /** Waits for the end, for five seconds if nothing else is said. */
  async untilEnd(deadlineMs = 5000): Promise<WsEnd> {
    const end = await within(this.ended, deadlineMs, undefined);
    if (end === undefined) throw new Error(`the socket did not end within ${deadlineMs} ms`);
    return end;
  }
}

/** A WebSocket application on a port of its own, made with `ws`. */
export class WsApp implements AsyncDisposable {
  readonly peers: WsPeer[] = [];
  readonly #server: InstanceType<typeof WebSocketServer>;
  #mark: Disposable | undefined;

  private constructor(server: InstanceType<typeof WebSocketServer>) {
    this.#server = server;
  }

  /** `onPeer` says what the application does with every new socket. */
  static async open(
    onPeer: (peer: WsPeer, request: IncomingMessage) => void = () => {},
    options: ServerOptions = {},
  ): Promise<WsApp> {
    const secure = backendTls === undefined ? undefined : createServer({ ...testSite() });
    const where = secure === undefined ? { host: "127.0.0.1", port: 0 } : { server: secure };
    const server = new WebSocketServer({ ...where, perMessageDeflate: false, ...options });
    const app = new WsApp(server);
    server.on("connection", (socket, request) => {
      const peer = new WsPeer(socket);
      app.peers.push(peer);
      onPeer(peer, request);
    });
    const listening = new Promise((resolve) => server.on("listening", resolve));
    secure?.listen(0, "127.0.0.1");
    await listening;
    if (secure !== undefined) app.#mark = markSecure(app.port);
    return app;
  }

  get port(): number {
    // A server on a TCP port has an address of this kind.
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#mark?.[Symbol.dispose]();
    for (const peer of this.peers) peer.socket.terminate();
    this.#server.close();
  }
}

/** What an echo application does. */
export function echo(peer: WsPeer): void {
  peer.keeps = false;
  peer.onMessage = (message, isBinary) => peer.socket.send(message, { binary: isBinary });
}

/** A server of `ws` on a server of the test's own. */
export function webSocketServer(options: ServerOptions): InstanceType<typeof WebSocketServer> {
  return new WebSocketServer(options);
}

/** The server's end of a WebSocket on a stream that was opened for it by other means than Upgrade. */
export function socketOn(stream: Duplex): Socket {
  // What `ws` does itself after it has answered a handshake; its types do not show it.
  const socket = new WebSocket(null as unknown as string, undefined, { autoPong: true }) as Socket & {
    setSocket(socket: Duplex, head: Buffer, options: object): void;
  };
  socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 0, skipUTF8Validation: false, allowSynchronousEvents: true });
  return socket;
}
