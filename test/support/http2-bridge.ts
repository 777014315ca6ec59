import http2 from "node:http2";
import net from "node:net";
import { acceptFor } from "../../src/core/websocket-handshake.ts";
import { testAuthority } from "./test-certificates.ts";

/** The same tests can be run over HTTP/2, in the clear (`h2c`) or over TLS (`h2`). */
export const isOverHttp2 = /^h2c?$/.test(process.env.CAUSEWAY_TEST_OVER ?? "");

let areForgone = false;

/** Whether gateways that are opened from now on are spoken to without a bridge. */
export function forgoBridges(isWanted: boolean): void {
  areForgone = isWanted;
}

const bridges = new Map<number, Promise<Http2Bridge>>();

/** Where clients of the tests connect to get to this port of 127.0.0.1: to a bridge, if it is a gateway's and tests run over HTTP/2. */
export async function wayTo(port: number): Promise<number> {
  const bridge = bridges.get(port);
  return bridge === undefined ? port : (await bridge).port;
}

/** From now on clients of the tests take a bridge to the gateway at this port. */
export function openBridge(port: number, how: { readonly isSecure: boolean }): void {
  if (areForgone) return;
  bridges.set(port, Http2Bridge.open(port, how));
}

/** Closes the bridge to this port, if there is one. */
export async function closeBridge(port: number): Promise<void> {
  const bridge = bridges.get(port);
  bridges.delete(port);
  (await bridge)?.close();
}

/**
 * Speaks HTTP/1.1 with clients of the tests and HTTP/2 with a gateway: every handshake becomes an extended CONNECT on one shared
 * connection, so that the suites of WebSockets can run over it as they are.
 */
export class Http2Bridge {
  readonly port: number;
  readonly #server: net.Server;
  readonly #session: http2.ClientHttp2Session;
  readonly #sockets = new Set<net.Socket>();

  private constructor(server: net.Server, session: http2.ClientHttp2Session) {
    this.#server = server;
    this.#session = session;
    const address = server.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
    server.on("connection", (socket) => this.#serve(socket));
  }

  /** A bridge to the gateway at this port of 127.0.0.1. */
  static async open(port: number, how: { readonly isSecure: boolean }): Promise<Http2Bridge> {
    const url = `${how.isSecure ? "https" : "http"}://127.0.0.1:${port}`;
    const session = http2.connect(url, how.isSecure ? { ca: testAuthority().cert } : {});
    session.on("error", () => {});
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    const server = net.createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Http2Bridge(server, session);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    this.#session.destroy();
  }

  #serve(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    let input = Buffer.alloc(0);
    const read = (bytes: Buffer): void => {
      input = Buffer.concat([input, bytes]);
      const end = input.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", read);
      socket.pause();
      this.#ask(socket, input.toString("latin1", 0, end), input.subarray(end + 4));
    };
    socket.on("data", read);
  }

  #ask(socket: net.Socket, head: string, rest: Buffer): void {
    const [line = "", ...lines] = head.split("\r\n");
    const fields: Record<string, string | string[]> = {};
    for (const one of lines) {
      const colon = one.indexOf(":");
      const [name, value] = [one.slice(0, colon).toLowerCase(), one.slice(colon + 1).trim()];
      const before = fields[name];
      fields[name] = before === undefined ? value : [before, value].flat();
    }
    const { host, connection: _, upgrade, "sec-websocket-key": key = "", ...others } = fields;
    const [method = "", path = ""] = line.split(" ");
    const isHandshake = upgrade !== undefined;
    const stream = this.#session.request(
      {
        ":method": isHandshake ? "CONNECT" : method,
        ...(isHandshake ? { ":protocol": "websocket" } : {}),
        ":path": path,
        ":scheme": "http",
        ":authority": host ?? "",
        ...others,
      },
      { endStream: !isHandshake },
    );
    stream.on("response", (headers) =>
      answer(socket, stream, { headers, accept: acceptFor(String(key)), isHandshake }),
    );
    stream.on("error", () => {});
    stream.on("close", () => (stream.rstCode === 0 ? socket.end() : socket.resetAndDestroy()));
    if (!isHandshake) return;
    if (rest.length > 0) stream.write(rest);
    socket.on("close", () => stream.close(http2.constants.NGHTTP2_CANCEL));
    socket.pipe(stream);
  }
}

type Answer = {
  readonly headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader;
  readonly accept: string;
  readonly isHandshake: boolean;
};

function answer(socket: net.Socket, stream: http2.ClientHttp2Stream, { headers, accept, isHandshake }: Answer): void {
  const isOpen = isHandshake && headers[":status"] === 200;
  const fields = Object.entries(headers)
    .filter(([name]) => !name.startsWith(":"))
    .flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`));
  const status = isOpen
    ? `101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}`
    : `${headers[":status"]} Answer\r\nConnection: close`;
  socket.write(`HTTP/1.1 ${status}\r\n${fields.join("")}\r\n`, "latin1");
  stream.pipe(socket);
  socket.resume();
}
