import { closeSync } from "node:fs";
import { certificateRefused, connectFailed, connectTimedOut, secureDialFailed } from "../../core/dial-errors.ts";
import type { GatewayError } from "../../core/errors.ts";
import { connectTarget, type EndpointSettings, formatAddress } from "../../core/snapshot.ts";
import type { PeerAddress, Receiver, Wire, WireSecurity } from "../../core/wire.ts";
import { Timed, type TimerWheel } from "../../kit/timer-wheel.ts";
import { copyDescriptor } from "./copy-descriptor.ts";
import { handshakePace } from "./handshake-pace.ts";
import { kernelConnect } from "./kernel-connect.ts";
import { kernelLoop } from "./kernel-loop.ts";
import { KernelSocket } from "./kernel-socket.ts";
import type { DialProtocol, SecureDial } from "./secure-dial.ts";
import { type BunSocket, bunSocketOf, type OwnedSocket, type SocketOwner, socketEvents } from "./socket-owner.ts";
import { SocketWire, type WireKeeper } from "./socket-wire.ts";

/** Where to connect, and how connections to it call their peer, if that is made already. */
export type DialTarget = Pick<EndpointSettings, "host" | "port"> & { readonly peer?: PeerAddress };

/** Where to connect, how, and who gets what comes. */
export type DialOptions = {
  readonly to: DialTarget;
  readonly receiver: Receiver;
  readonly wheel: TimerWheel;
  /** Milliseconds; 0 waits as long as the kernel does. */
  readonly timeoutMs: number;
  /** Given if the endpoint speaks TLS. */
  readonly secure?: SecureDial | undefined;
  /** What is wanted of it then; `h2` also accepts HTTP/1.1. */
  readonly protocol?: DialProtocol;
  /** Hears of the end of the connection, also of one that never came up. */
  readonly keeper: WireKeeper;
};

/**
 * Opens a connection. Rejects with `upstream_refused` or `upstream_connect_timeout`, and where it shall be secure with `upstream_tls` or
 * `upstream_certificate`.
 */
export function dial(options: DialOptions): Promise<Wire> {
  return new Dial(options).start();
}

/**
 * One attempt to connect. Bun cannot give an attempt of its own up, so that one that timed out is left to the kernel, and closed
 * should it still come up.
 */
class Dial extends Timed implements SocketOwner {
  readonly #options: DialOptions;
  readonly #outcome = Promise.withResolvers<Wire>();
  #isOver = false;
  /** The socket, while its TLS handshake is under way. */
  #securing: BunSocket | undefined;
  /** The socket, while it connects without Bun. */
  #connecting: KernelSocket | undefined;

  constructor(options: DialOptions) {
    super();
    this.#options = options;
  }

  start(): Promise<Wire> {
    const { to, wheel, timeoutMs, secure } = this.#options;
    if (timeoutMs > 0) wheel.arm(this, timeoutMs);
    try {
      if (secure === undefined) this.#connecting = this.#connectPlain(to);
      if (this.#connecting === undefined) this.#connect(to, secure).catch((error: unknown) => this.refused(error));
    } catch (error) {
      this.refused(error);
    }
    return this.#outcome.promise;
  }

  /** Without Bun; undefined where that cannot be done. */
  #connectPlain({ host, port }: DialTarget): KernelSocket | undefined {
    const loop = kernelLoop();
    return loop && kernelConnect({ loop, host, port, owner: this });
  }

  #connect(to: DialTarget, secure: SecureDial | undefined): Promise<unknown> {
    const target = connectTarget(to);
    const options = { allowHalfOpen: true, data: this, socket: socketEvents };
    const tls = secure === undefined ? {} : { tls: secure.optionsFor(to.host, this.#options.protocol) };
    return "path" in target
      ? Bun.connect<SocketOwner>({ ...options, ...tls, unix: target.path })
      : Bun.connect<SocketOwner>({ ...options, ...tls, hostname: target.host, port: target.port });
  }

  opened(socket: OwnedSocket): void {
    const isSecure = this.#options.secure !== undefined;
    if (this.#isOver && isSecure) socket.terminate();
    else if (this.#isOver) socket.end();
    else if (isSecure) this.#secure(bunSocketOf(socket));
    else this.#connected(socket, undefined);
  }

  #secure(socket: BunSocket): void {
    this.#securing = socket;
    handshakePace.began();
  }

  secured(isDone: boolean, error: Error | null): void {
    const { secure, to } = this.#options;
    const socket = this.#securing;
    if (secure === undefined || socket === undefined || this.#isOver) return;
    const verdict = secure.verdictOn(isDone, error);
    if (verdict === "fine") return this.#connected(socket, { ...unknown, protocol: socket.alpnProtocol || undefined });
    const fail = verdict === "untrusted" ? certificateRefused : secureDialFailed;
    this.#giveUp(fail(formatAddress(to), error));
    socket.terminate();
  }

  #connected(opened: OwnedSocket, security: WireSecurity | undefined): void {
    this.#finish();
    const { to, receiver, keeper } = this.#options;
    const socket = security === undefined ? withoutBun(opened, this) : opened;
    const peer = to.peer ?? { address: to.host, port: to.port };
    const options = { socket, peer, receiver, keeper };
    const wire = new SocketWire(security === undefined ? options : { ...options, security });
    // From now on nothing holds this attempt: sessions outlive it by hours.
    socket.data = wire;
    this.#outcome.resolve(wire);
  }

  refused(error: unknown): void {
    this.#giveUp(connectFailed(formatAddress(this.#options.to), error));
  }

  closed(error: Error | undefined): void {
    if (this.#securing !== undefined) this.#giveUp(secureDialFailed(formatAddress(this.#options.to), error));
  }

  received(): void {}
  drained(): void {}
  ended(): void {}
  failed(): void {}

  /** It has taken too long. */
  fire(): void {
    this.#giveUp(connectTimedOut(formatAddress(this.#options.to), this.#options.timeoutMs));
    this.#securing?.terminate();
    this.#connecting?.terminate();
  }

  #giveUp(error: GatewayError): void {
    if (this.#isOver) return;
    this.#finish();
    this.#options.keeper.onGone();
    this.#outcome.reject(error);
  }

  #finish(): void {
    this.#isOver = true;
    this.#options.wheel.disarm(this);
    if (this.#securing !== undefined) handshakePace.ended();
  }
}

/**
 * Bun finds names, and the one of their addresses that answers, and knows Unix sockets; what has come of it goes on without Bun, or with it
 * if there is no descriptor left for a moment.
 */
function withoutBun(socket: OwnedSocket, owner: SocketOwner): OwnedSocket {
  const loop = kernelLoop();
  if (loop === undefined || socket instanceof KernelSocket) return socket;
  let descriptor = -1;
  try {
    descriptor = copyDescriptor(socket.fd);
    const own = KernelSocket.open({ loop, descriptor, owner });
    socket.data = nobody;
    socket.close();
    return own;
  } catch {
    if (descriptor >= 0) closeSync(descriptor);
    return socket;
  }
}

/** Owns a socket that is somebody else's by now. */
const nobody: SocketOwner = {
  opened() {},
  received() {},
  drained() {},
  ended() {},
  closed() {},
  refused() {},
  failed() {},
};

const unknown: WireSecurity = { serverName: undefined, protocol: undefined, clientCertificate: undefined };
