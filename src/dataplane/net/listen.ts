import type { TCPSocketListenOptions } from "bun";
import { explainListenFailure } from "../../core/listen-address.ts";
import { formatAddress } from "../../core/snapshot.ts";
import { type PeerAddress, type Receiver, silentReceiver, type WireSecurity } from "../../core/wire.ts";
import { TimerWheel } from "../../kit/timer-wheel.ts";
import { authorities, type CertificateTable, type Choice } from "./certificate-table.ts";
import { ChallengeScout } from "./challenge-scout.ts";
import { copyDescriptor } from "./copy-descriptor.ts";
import { ExactReader } from "./exact-reader.ts";
import { handshakePace } from "./handshake-pace.ts";
import { kernelCalls } from "./kernel-calls.ts";
import { KernelListener } from "./kernel-listener.ts";
import { kernelLoop } from "./kernel-loop.ts";
import { ProxiedArrival, type ProxyHall } from "./proxied-arrival.ts";
import { normalName, SecureArrival, type SecureHall } from "./secure-arrival.ts";
import {
  type BunSocket,
  bunSocketOf,
  isBunSocket,
  type OwnedSocket,
  type SocketOwner,
  socketEvents,
} from "./socket-owner.ts";
import { SocketWire, type WireKeeper } from "./socket-wire.ts";

/** Where to listen, and who gets each new connection. */
export type ListenOptions = {
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /**
   * Returns who listens to the new wire. It may destroy the wire at once. `isProxied` if its peer is whom a proxy speaks for, and its arrival
   * was told before.
   */
  readonly onConnection: (wire: SocketWire, isProxied: boolean) => Receiver;
  /** Hears once of the end of each wire that `onConnection` was given. */
  readonly keeper: WireKeeper;
  /** Given if the port speaks TLS. */
  readonly secure?: SecureListening;
  /** Given if proxies may say for whom they speak. */
  readonly proxies?: ProxyHall;
  /** Given if another process has bound the port: its descriptor, with all who wait to be accepted. */
  readonly descriptor?: number | undefined;
};

/** What a port that speaks TLS needs to know, and tells. */
export type SecureListening = Omit<SecureHall, "onSecured"> & {
  /** Somebody has connected, and may begin a TLS handshake unless this says no. `isProxied` if its arrival was told before. */
  readonly onArrival: (peer: PeerAddress, isProxied: boolean) => boolean;
};

/** A listener of Bun's, or one of the kernel's without Bun. */
type BoundListener = { readonly port: number; readonly fd?: number; stop(closesConnections: boolean): void };

/** A bound port. */
export class PortListener {
  readonly port: number;
  readonly #options: ListenOptions;
  #listener: BoundListener;
  #door: Door;
  #isClosed = false;

  private constructor(options: ListenOptions, { listener, door }: Bound) {
    this.#options = options;
    this.#listener = listener;
    this.#door = door;
    // Bun knows no port of a descriptor.
    this.port = options.descriptor === undefined ? listener.port : options.port;
  }

  /** Binds with SO_REUSEPORT, so that several workers can share the port. Throws if the address cannot be bound. */
  static open(options: ListenOptions): PortListener {
    try {
      return new PortListener(options, bind(options, options.descriptor));
    } catch (error) {
      throw cannotListen(options, error);
    }
  }

  get descriptor(): number {
    return this.#listener.fd ?? -1;
  }

  /**
   * The certificates may be others now. Bun keeps those that it has begun to listen with, and a socket that gets others forgets what ALPN
   * offers, so that the same queue of connections gets another listener. Nobody is lost on the way, and connections stay.
   */
  renew(): void {
    const { secure, keeper } = this.#options;
    if (this.#isClosed || secure === undefined || this.#door.bound === secure.table().fallback) return;
    try {
      const before = this.#listener;
      const { listener, door } = bind(this.#options, copyDescriptor(this.descriptor));
      this.#listener = listener;
      this.#door = door;
      before.stop(false);
    } catch (error) {
      keeper.onFault(error);
    }
  }

  /** Leaves connections open, and those who wait in the queue to others who have the descriptor. */
  close(): void {
    this.#isClosed = true;
    this.#listener.stop(false);
  }
}

type Bound = { readonly listener: BoundListener; readonly door: Door };

function bind(options: ListenOptions, descriptor: number | undefined): Bound {
  const door = new Door(options);
  if (options.secure === undefined) {
    const { host, port } = options;
    const loop = kernelLoop();
    const listener = loop && KernelListener.open({ loop, host, port, owner: door, descriptor });
    if (listener !== undefined) return { listener, door };
  }
  // reusePort is documented for connect only, and works here.
  const how: TCPSocketListenOptions<SocketOwner> & { readonly reusePort: true; readonly fd?: number } = {
    hostname: options.host,
    port: options.port,
    reusePort: true,
    allowHalfOpen: true,
    data: door,
    socket: options.secure === undefined ? socketEvents : { ...socketEvents, ...nameEvents(options.secure) },
    ...(options.secure === undefined ? {} : { tls: tlsOptions(options.secure.table()) }),
    ...(descriptor === undefined ? {} : { fd: descriptor }),
  };
  return { listener: Bun.listen<SocketOwner>(how), door };
}

/** Undocumented: the handler is asked for every name, and its answer is false for a name that gets no connection. */
function nameEvents(secure: SecureListening) {
  return {
    serverName(_: unknown, name: unknown, socket: BunSocket) {
      handshakePace.moved();
      const { data: owner } = socket;
      if (owner instanceof SecureArrival && owner.isChallenge)
        return secure.challenges.contextFor(normalName(name) ?? "") ?? false;
      const table = secure.table();
      if (table.isEmpty) return false;
      const choice = table.find(normalName(name) ?? "");
      if (choice === undefined) return table.settings.unknownNames === "refuse" ? false : table.fallback.context;
      return choice.context;
    },
  };
}

const versions = { "TLSv1.2": 0x0303, "TLSv1.3": 0x0304 } as const;

/** Bun takes versions as numbers, and ALPN as it is on the wire. */
function tlsOptions({ settings, fallback }: CertificateTable) {
  const options = {
    cert: [...fallback.cert],
    key: [...fallback.privateKey],
    minVersion: versions[settings.minVersion],
    maxVersion: versions[settings.maxVersion],
    ALPNProtocols: settings.alpn.map((name) => String.fromCharCode(name.length) + name).join(""),
    ...(settings.ciphers === "" ? {} : { ciphers: settings.ciphers }),
    ...authorities(settings),
  };
  return options;
}

/** Bun's own words name neither the port nor the reason. */
function cannotListen(address: { readonly host: string; readonly port: number }, cause: unknown): Error {
  return new Error(`cannot listen on ${formatAddress(address)}: ${explainListenFailure(cause).says}`, { cause });
}

/** Owns a socket until it is open, and then makes it a wire's. */
class Door implements SocketOwner {
  readonly #options: ListenOptions;
  /** What Bun has begun to listen with. */
  readonly bound: Choice | undefined;
  readonly #hall: (SecureHall & SecureListening) | undefined;
  /** For those whose proxy has not spoken when they are accepted, which is a matter of microseconds as a rule. */
  #soon: TimerWheel | undefined;

  constructor(options: ListenOptions) {
    const { secure } = options;
    this.#options = options;
    this.bound = secure?.table().fallback;
    this.#hall = secure && {
      ...secure,
      onSecured: (socket, peer, security) => this.#connect(socket, peer, { security, isProxied: false }),
    };
  }

  opened(socket: OwnedSocket): void {
    const caller = callerOf(socket);
    if (caller === undefined) {
      socket.terminate();
      return;
    }
    const peer = new Caller(socket, caller);
    const { proxies } = this.#options;
    if (proxies?.isProxy(peer.address) === true) this.#ask(socket, peer, proxies);
    else if (this.#hall === undefined) this.#connect(socket, peer, { isProxied: false });
    else this.#admit(bunSocketOf(socket), peer, { hall: this.#hall, isProxied: false });
  }

  /** True if it may go on at once. The certificates that the port was bound with may have been renewed since. */
  #admit(
    socket: BunSocket,
    peer: PeerAddress,
    { hall, isProxied }: { readonly hall: SecureHall & SecureListening; readonly isProxied: boolean },
  ): boolean {
    if (!hall.onArrival(peer, isProxied)) {
      socket.data = this;
      socket.terminate();
      return false;
    }
    const { fallback, settings } = hall.table();
    const { mode } = settings.clientCertificates;
    if (fallback !== this.bound) socket.setKeyCert(fallback.context);
    if (mode !== "none") socket.setVerifyMode(true, mode === "required");
    const arrival = new SecureArrival(socket, peer, hall);
    socket.data = arrival;
    if (!hall.challenges.areInHandshakes) return true;
    ChallengeScout.start(socket, arrival, hall.wheel);
    return false;
  }

  /** A proxy says first for whom it speaks. */
  #ask(socket: OwnedSocket, proxy: PeerAddress, hall: ProxyHall): void {
    if (this.#hall !== undefined)
      return this.#askBeforeTls(bunSocketOf(socket), proxy, { proxies: hall, hall: this.#hall });
    socket.data = new ProxiedArrival(socket, hall, (source, rest) => {
      const wire = this.#connect(socket, source ?? proxy, { isProxied: true });
      if (rest.length > 0 && !wire.isClosed) wire.received(rest);
    });
  }

  /** Bun must not read it: to TLS it would be garbage. */
  #askBeforeTls(
    socket: BunSocket,
    proxy: PeerAddress,
    { proxies, hall }: { readonly proxies: ProxyHall; readonly hall: SecureHall & SecureListening },
  ): void {
    socket.pause();
    handshakePace.began();
    const onNothing = (): void => {
      handshakePace.ended();
      proxies.onNothing();
    };
    const arrival = new ProxiedArrival(socket, { ...proxies, onNothing }, (source) => {
      handshakePace.ended();
      if (this.#admit(socket, source ?? proxy, { hall, isProxied: true })) socket.resume();
    });
    socket.data = arrival;
    this.#soon ??= new TimerWheel({
      tickMs: 1,
      onError: (thrown) => this.#options.keeper.onFault(thrown),
    }).start();
    ExactReader.start(socket, arrival, this.#soon);
  }

  #connect(
    socket: OwnedSocket,
    peer: PeerAddress,
    { security, isProxied }: { readonly security?: WireSecurity; readonly isProxied: boolean },
  ): SocketWire {
    const { keeper } = this.#options;
    const options = { socket, peer, receiver: silentReceiver, keeper };
    const wire = new SocketWire(security === undefined ? options : { ...options, security });
    socket.data = wire;
    const receiver = this.#options.onConnection(wire, isProxied);
    if (!wire.isClosed) wire.receiver = receiver;
    return wire;
  }

  received(): void {}
  drained(): void {}
  ended(): void {}
  closed(): void {}
  refused(): void {}
  failed(): void {}
}

/**
 * Where a connection comes from; undefined for a client that has reset it before it was accepted. A socket of Bun's that is asked
 * keeps a text of its own.
 */
function callerOf(socket: OwnedSocket): PeerAddress | undefined {
  if (isBunSocket(socket) && kernelLoop() !== undefined) return kernelCalls().addressOf(socket.fd, "getpeername");
  const { remoteAddress: address, remotePort: port } = socket;
  // It may be missing, whatever the type says.
  return address ? { address, port } : undefined;
}

/** Where a connection comes from, and, if somebody wants to know, where it has come to. */
class Caller implements PeerAddress {
  readonly address: string;
  readonly port: number;
  readonly #socket: OwnedSocket;

  constructor(socket: OwnedSocket, { address, port }: PeerAddress) {
    this.address = address;
    this.port = port;
    this.#socket = socket;
  }

  get local(): PeerAddress | undefined {
    const { localAddress, localPort } = this.#socket;
    return localAddress ? { address: localAddress, port: localPort } : undefined;
  }
}
