import type { WireState } from "./handover.ts";

/** One byte stream in both directions: a TCP socket, or anything that behaves like one. */
export interface Wire {
  readonly peer: PeerAddress;
  /** What the TLS handshake brought to light; undefined if there was none. */
  readonly security?: WireSecurity | undefined;
  /** Bytes that were given to `write` and that the kernel has not taken yet. */
  readonly queued: number;
  /** True once nothing can be read or written any more. */
  readonly isClosed: boolean;
  /**
   * Sends bytes, or keeps them until it can, and returns what is known to be queued: what waits for the end of the turn of the event loop
   * does not count yet. The caller leaves the bytes unchanged; those it has just received belong to the wire from now on.
   */
  write(bytes: Uint8Array): number;
  /** The same for a text in latin1, for bytes behind it, and for another text behind those, as if all were one piece. */
  writeFramed(before: string, bytes?: Uint8Array, after?: string): number;
  pause(): void;
  resume(): void;
  /** Ends our direction (FIN) once everything queued is sent; reading goes on. */
  end(): void;
  /** Ends both directions at once; what is queued is lost. */
  destroy(): void;
  /** From now on this one listens, beginning with the next event. */
  receiver: Receiver;
  /** How long a peer may take to end its direction once both have said goodbye (ms); undefined if ending it for the peer could lose something. */
  readonly partingMs?: number;
  /** Undefined if the stream cannot leave this process. */
  readonly movable?: Movable | undefined;
}

/** A wire that another process can take over. */
export interface Movable {
  /** Stops: from now on nothing is read, written or told. */
  freeze(): { readonly state: WireState; readonly descriptor: number };
  /** Goes on, and tells `receiver` what has happened meanwhile. */
  thaw(how: { readonly receiver: Receiver; readonly isPaused: boolean }): void;
  /** It is another process's now: lets go of it without a word to anybody. */
  letGo(): void;
}

/** The one that listens to a wire. No method may throw. */
export interface Receiver {
  /** The bytes belong to the receiver from now on. */
  onBytes(bytes: Uint8Array): void;
  /** The queue has shrunk: all of it, or a part, was taken by the kernel. */
  onWritable(): void;
  /** The peer ended its direction (FIN); ours is still open. */
  onEnd(): void;
  /** Nothing comes any more; `error` says why if it was not an orderly end. Called once, last. */
  onClose(error: Error | undefined): void;
}

/** What is known of a wire that speaks TLS. */
export type WireSecurity = {
  /** The name that the client asked for (SNI), in lower case. */
  readonly serverName: string | undefined;
  /** The protocol that was chosen by ALPN. */
  readonly protocol: string | undefined;
  /** The client's certificate, verified: DER. */
  readonly clientCertificate: Uint8Array | undefined;
};

/** `address` is a literal without brackets. */
export type PeerAddress = {
  readonly address: string;
  readonly port: number;
  /** The other end of the connection, which is here, as far as it is known. */
  readonly local?: { readonly address: string; readonly port: number } | undefined;
};

/** Hears nothing and says nothing: for a wire that nobody listens to yet, or any more. */
export const silentReceiver: Receiver = {
  onBytes() {},
  onWritable() {},
  onEnd() {},
  onClose() {},
};
