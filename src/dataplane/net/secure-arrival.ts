import { writeSync } from "node:fs";
import { isIP } from "node:net";
import { challengeProtocol } from "../../core/acme-challenge.ts";
import type { PeerAddress, WireSecurity } from "../../core/wire.ts";
import { Timer, type TimerWheel } from "../../kit/timer-wheel.ts";
import type { CertificateTable } from "./certificate-table.ts";
import { handshakePace } from "./handshake-pace.ts";
import type { SecureContext } from "./secure-context.ts";
import type { BunSocket, SocketOwner } from "./socket-owner.ts";

/**
 * Why a TLS handshake has failed, or came to nothing: `closed` is a client that went away, `challenge` an ACME authority that has seen
 * what it came for, and `no_certificate` means that there is none here yet.
 */
export type HandshakeFailure = {
  readonly kind: "plain_http" | "certificate" | "late" | "closed" | "challenge" | "no_certificate" | "other";
  readonly cause: Error | undefined;
};

/** What ACME authorities look for in handshakes. */
export interface ChallengesShown {
  /** True while a handshake may be an authority's. */
  readonly areInHandshakes: boolean;
  /** The certificate that an authority wants to see for a name. */
  contextFor(name: string): SecureContext | undefined;
}

/** Those who have to do with connections whose TLS handshake is under way. */
export interface SecureHall {
  readonly wheel: TimerWheel;
  /** The certificates as they are now. */
  readonly table: () => CertificateTable;
  readonly challenges: ChallengesShown;
  /** The handshake is done. */
  onSecured(socket: BunSocket, peer: PeerAddress, security: WireSecurity): void;
  /** It is not, and the connection is about to close. What comes back is sent in the clear. */
  onFailed(peer: PeerAddress, failure: HandshakeFailure): Uint8Array | undefined;
  /** The socket is gone, without ever having been secure. */
  onGone(peer: PeerAddress): void;
}

/** A connection from its first byte to the end of its TLS handshake. */
export class SecureArrival implements SocketOwner {
  readonly #socket: BunSocket;
  readonly #peer: PeerAddress;
  readonly #hall: SecureHall;
  readonly #table: CertificateTable;
  readonly #timer: Timer;
  /** True if an ACME authority looks for the answer to its challenge, and nothing else. */
  isChallenge = false;
  #isOver = false;

  constructor(socket: BunSocket, peer: PeerAddress, hall: SecureHall) {
    this.#socket = socket;
    this.#peer = peer;
    this.#hall = hall;
    handshakePace.began();
    this.#table = hall.table();
    this.#timer = new Timer(() => this.#fail({ kind: "late", cause: undefined }));
    const { handshakeMs } = this.#table.settings;
    if (handshakeMs > 0) hall.wheel.arm(this.#timer, handshakeMs);
  }

  /** True once it is known what came of the handshake. */
  get isOver(): boolean {
    return this.#isOver;
  }

  opened(): void {}

  secured(isDone: boolean, error: Error | null): void {
    if (this.#isOver) return;
    const cause = error ?? undefined;
    if (this.isChallenge || this.#socket.alpnProtocol === challengeProtocol)
      return this.#fail({ kind: "challenge", cause });
    if (!isDone) return this.#fail({ kind: this.#kindOf(cause), cause });
    if (this.#table.isEmpty) return this.#fail({ kind: "no_certificate", cause: undefined });
    const { mode } = this.#table.settings.clientCertificates;
    const certificate = mode === "none" ? undefined : this.#socket.getPeerCertificate()?.raw;
    // Without a certificate there is an error as well, which is all right where it is optional.
    // A resumed session is not verified again; Bun resumes none with other authorities than it began with.
    const isMissing = mode === "required" && certificate === undefined;
    if (isMissing || (certificate !== undefined && error !== null)) return this.#fail({ kind: "certificate", cause });
    this.#finish();
    const security = {
      serverName: normalName(this.#socket.getServername()),
      protocol: this.#socket.alpnProtocol || undefined,
      clientCertificate: certificate,
    };
    this.#hall.onSecured(this.#socket, this.#peer, shared(security));
  }

  closed(error: Error | undefined): void {
    if (!this.#isOver) this.#fail({ kind: "closed", cause: error });
    this.#hall.onGone(this.#peer);
  }

  failed(error: Error): void {
    this.#fail({ kind: "other", cause: error });
  }

  received(): void {}
  drained(): void {}
  ended(): void {}
  refused(): void {}

  /** Without any certificate every name is refused, which is nothing that OpenSSL has words for. */
  #kindOf(cause: Error | undefined): HandshakeFailure["kind"] {
    const kind = kindOf(cause);
    return kind === "other" && this.#table.isEmpty ? "no_certificate" : kind;
  }

  #fail(failure: HandshakeFailure): void {
    if (this.#isOver) return;
    this.#finish();
    const answer = this.#hall.onFailed(this.#peer, failure);
    if (answer !== undefined) this.#sayInTheClear(answer);
    if (failure.kind === "late") this.#socket.terminate();
    else this.#socket.close();
  }

  /** Past TLS: the socket itself would encrypt it, which it cannot. */
  #sayInTheClear(answer: Uint8Array): void {
    try {
      writeSync(this.#socket.fd, answer);
    } catch {
      // It was a courtesy.
    }
  }

  #finish(): void {
    this.#isOver = true;
    handshakePace.ended();
    this.#hall.wheel.disarm(this.#timer);
  }
}

/** That of the last connection that showed no certificate. */
let last: WireSecurity = { serverName: undefined, protocol: undefined, clientCertificate: undefined };

/** One object for those who come one after the other with the same: it is kept for as long as their connections are. */
function shared(security: WireSecurity): WireSecurity {
  if (security.clientCertificate !== undefined) return security;
  if (last.serverName !== security.serverName || last.protocol !== security.protocol) last = security;
  return last;
}

function kindOf(cause: Error | undefined): HandshakeFailure["kind"] {
  if (cause === undefined) return "other";
  if (cause.message.includes("HTTP_REQUEST")) return "plain_http";
  if ("code" in cause && cause.code === "ECONNRESET") return "closed";
  return cause.message.includes("CERTIFICATE") ? "certificate" : "other";
}

/** A name in the form in which certificates are looked up. An address is none (RFC 6066 §3), though some clients send theirs. */
export function normalName(name: unknown): string | undefined {
  if (typeof name !== "string" || name === "" || isIP(name) !== 0) return undefined;
  const lower = name.toLowerCase();
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}
