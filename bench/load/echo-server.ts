import { createHash } from "node:crypto";
import type { Socket } from "bun";
import { answer } from "./orders.ts";

// The peer behind the proxy: echoes WebSocket messages and answers any other request with 1 KB. It does as little as RFC 6455 and
// RFC 9112 allow, because it shares a core with the load.

type Peer = {
  stage: "head" | "frames";
  /** The beginning of a frame or head that is not complete. */
  partial: Buffer | undefined;
  /** What the socket has not taken yet. */
  unsent: Buffer | undefined;
};

const largestFrame = 0xffff + 8;
const bodyBytes = Number(process.argv[2] ?? 1024);
const response = Buffer.concat([
  Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${bodyBytes}\r\n\r\n`),
  Buffer.alloc(bodyBytes, "x"),
]);

const listener = Bun.listen<Peer>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(socket) {
      socket.data = { stage: "head", partial: undefined, unsent: undefined };
    },
    data(socket, chunk) {
      if (socket.data.stage === "frames") receiveFrames(socket, chunk);
      else receiveHead(socket, chunk);
    },
    drain(socket) {
      const { unsent } = socket.data;
      socket.data.unsent = undefined;
      if (unsent !== undefined) send(socket, unsent);
    },
    error(socket) {
      socket.terminate();
    },
  },
});
process.on("disconnect", () => process.exit());
answer({ did: "listen", port: listener.port });

function receiveHead(socket: Socket<Peer>, chunk: Buffer): void {
  const peer = socket.data;
  const head = join(peer.partial, chunk);
  const end = head.indexOf("\r\n\r\n");
  peer.partial = end < 0 ? head : undefined;
  if (end < 0) return;
  // Part of every spelling of "WebSocket" and of nothing else that is sent here: one search where a plain GET would need a parser.
  if (head.indexOf("ocket") < 0) return send(socket, response);
  const key = /\r\nsec-websocket-key: *([^\r\n]+)/i.exec(head.toString("latin1", 0, end))?.[1];
  if (key === undefined) return void socket.terminate();
  peer.stage = "frames";
  send(socket, Buffer.from(switchingProtocols(key)));
  const rest = head.subarray(end + 4);
  if (rest.length > 0) receiveFrames(socket, rest);
}

function switchingProtocols(key: string): string {
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

function receiveFrames(socket: Socket<Peer>, chunk: Buffer): void {
  const peer = socket.data;
  const bytes = join(peer.partial, chunk);
  let start = 0;
  while (start < bytes.length) {
    const end = endOfFrame(bytes, start);
    if (end === undefined) break;
    if (end < 0) return socket.terminate();
    echoFrame(socket, bytes, start, end);
    start = end;
  }
  // The chunk is Bun's own copy for this event, so the rest may stay a view of it.
  peer.partial = start < bytes.length ? bytes.subarray(start) : undefined;
}

/** Where the frame ends; undefined while bytes are missing, -1 if it is none that a client may send here. */
function endOfFrame(bytes: Buffer, start: number): number | undefined {
  if (bytes.length - start < 6) return undefined;
  const second = bytes[start + 1] ?? 0;
  if (second < 0x80 || second === 0xff) return -1;
  const end = second === 0xfe ? start + 8 + bytes.readUInt16BE(start + 2) : start + 6 + (second & 0x7f);
  return end - start > largestFrame ? -1 : end > bytes.length ? undefined : end;
}

/** Moves the header over the masking key, so that what is left is the frame a server sends, and sends it from where it lies. */
function echoFrame(socket: Socket<Peer>, bytes: Buffer, start: number, end: number): void {
  const headerBytes = bytes[start + 1] === 0xfe ? 4 : 2;
  const keyAt = start + headerBytes;
  if (bytes.readUInt32BE(keyAt) !== 0) unmask(bytes, keyAt, end);
  bytes.copyWithin(start + 4, start, keyAt);
  bytes[start + 5] = (bytes[start + 5] ?? 0) & 0x7f;
  const opcode = (bytes[start] ?? 0) & 0x0f;
  if (opcode === 9) bytes[start + 4] = 0x8a;
  const length = end - start - 4;
  const written = socket.data.unsent === undefined ? Math.max(0, socket.write(bytes, start + 4, length)) : 0;
  if (written < length) keep(socket.data, bytes.subarray(start + 4 + written, end));
  // RFC 6455 section 7.1.1: the server ends the connection first.
  if (opcode === 8) socket.end();
}

function unmask(bytes: Buffer, keyAt: number, end: number): void {
  for (let index = keyAt + 4; index < end; index++) {
    bytes[index] = (bytes[index] ?? 0) ^ (bytes[keyAt + ((index - keyAt) & 3)] ?? 0);
  }
}

function send(socket: Socket<Peer>, bytes: Buffer): void {
  const written = socket.data.unsent === undefined ? Math.max(0, socket.write(bytes)) : 0;
  if (written < bytes.length) keep(socket.data, bytes.subarray(written));
}

function keep(peer: Peer, bytes: Buffer): void {
  peer.unsent = join(peer.unsent, Buffer.from(bytes));
}

function join(partial: Buffer | undefined, chunk: Buffer): Buffer {
  return partial === undefined ? chunk : Buffer.concat([partial, chunk]);
}
