import net from "node:net";
import { Duplex } from "node:stream";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { testAuthority } from "./test-certificates.ts";

/** How what a proxy says gets to the gateway: in a segment of its own, a byte at a time, or together with the beginning of TLS. */
export type Delivery = "ahead" | "byte by byte" | "together";

/** Does what a proxy does that passes bytes on: says `header`, and lets a TLS handshake follow. */
export async function connectProxied(
  port: number,
  { header, delivery = "ahead", ...tls }: ConnectionOptions & { readonly header: Uint8Array; delivery?: Delivery },
): Promise<TLSSocket> {
  const raw = await connectPlain(port);
  if (delivery === "ahead") raw.write(header);
  if (delivery === "byte by byte") await writeSlowly(raw, header);
  const socket = delivery === "together" ? startingWith(raw, header) : raw;
  const secure = connect({ socket, ca: testAuthority().cert, servername: "app.example", ...tls });
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  secure.once("secureConnect", () => resolve(secure));
  secure.once("error", reject);
  secure.once("close", () => reject(new Error("the connection was closed in its handshake")));
  secure.on("error", () => {});
  return promise;
}

/** A TCP connection that sends every write at once. */
export function connectPlain(port: number): Promise<net.Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<net.Socket>();
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  socket.once("connect", () => resolve(socket));
  socket.once("error", reject);
  socket.on("error", () => {});
  return promise;
}

/** Each byte is a segment, because the event loop turns between two of them. */
async function writeSlowly(socket: net.Socket, bytes: Uint8Array): Promise<void> {
  for (const byte of bytes) {
    socket.write(Uint8Array.of(byte));
    await Bun.sleep(1);
  }
}

/** A stream whose first write begins with these bytes. */
function startingWith(socket: net.Socket, bytes: Uint8Array): Duplex {
  let start: Uint8Array | undefined = bytes;
  const stream = new Duplex({
    read: () => socket.resume(),
    write(chunk: Buffer, _, done) {
      const all = start === undefined ? chunk : Buffer.concat([start, chunk]);
      start = undefined;
      socket.write(all, () => done());
    },
    final(done) {
      socket.end(() => done());
    },
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (chunk) => {
    if (!stream.push(chunk)) socket.pause();
  });
  socket.on("end", () => stream.push(null));
  socket.on("close", () => stream.destroy());
  return stream;
}
