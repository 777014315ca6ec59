import { FFIType, ptr } from "bun:ffi";
import { challengeProtocol } from "../../core/acme-challenge.ts";
import { Timer, type TimerWheel } from "../../kit/timer-wheel.ts";
import { openLibc } from "./libc.ts";
import type { SecureArrival } from "./secure-arrival.ts";
import type { BunSocket } from "./socket-owner.ts";

// Linux: sys/socket.h.
const peek = 0x02;
const dontWait = 0x40;

const symbols = { recv: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i64 } } as const;

/** A hello that is longer is that of no authority. */
const seen = Buffer.alloc(8192);
const recordHeader = 5;
const handshakeRecord = 0x16;

/** ALPN (RFC 7301 §3.1) with one protocol, as RFC 8737 §3 wants it: the type, and the lengths of extension, list and name. */
const extension = Buffer.concat([
  Buffer.from([0x00, 0x10, 0x00, 0x0d, 0x00, 0x0b, 0x0a]),
  Buffer.from(challengeProtocol, "latin1"),
]);

/** How often and how long it is looked whether a hello has come whole (ms). */
const lookMs = 10;
const patienceMs = 2000;

/**
 * Looks, without taking it, at what a paused socket begins its TLS handshake with, and lets it go on: Bun chooses a certificate before
 * it says which protocols the client offers, and an authority that wants to see the answer to its challenge is told by nothing else.
 */
export class ChallengeScout {
  readonly #socket: BunSocket;
  readonly #arrival: SecureArrival;
  readonly #wheel: TimerWheel;
  readonly #timer: Timer;
  readonly #until: number;

  private constructor(socket: BunSocket, arrival: SecureArrival, wheel: TimerWheel) {
    this.#socket = socket;
    this.#arrival = arrival;
    this.#wheel = wheel;
    this.#timer = new Timer(() => this.#look());
    this.#until = wheel.clock() + patienceMs;
  }

  /** Marks `arrival` if it is an authority's, and resumes the socket in any case. */
  static start(socket: BunSocket, arrival: SecureArrival, wheel: TimerWheel): void {
    socket.pause();
    new ChallengeScout(socket, arrival, wheel).#look();
  }

  #look(): void {
    // The descriptor may be another connection's by now.
    if (this.#arrival.isOver) return;
    const begun = wordOf(this.#socket.fd);
    if (begun === "unfinished" && this.#wheel.clock() < this.#until) {
      this.#wheel.arm(this.#timer, lookMs);
      return;
    }
    if (begun === "challenge") {
      this.#arrival.isChallenge = true;
      // Whatever clients have to show, an authority shows nothing.
      this.#socket.setVerifyMode(false, false);
    }
    this.#socket.resume();
  }
}

function wordOf(descriptor: number): "unfinished" | "challenge" | "other" {
  const count = Number(libc().recv(descriptor, ptr(seen), seen.length, peek | dontWait));
  if (count < 0) return "unfinished";
  if (count === 0 || seen[0] !== handshakeRecord) return "other";
  const whole = count < recordHeader ? recordHeader : recordHeader + seen.readUInt16BE(3);
  if (count < Math.min(whole, seen.length)) return "unfinished";
  return seen.subarray(0, whole).includes(extension) ? "challenge" : "other";
}

let opened: ReturnType<typeof openLibc<typeof symbols>> | undefined;

/** Opened when it is first needed: nobody else pays for it. */
function libc() {
  opened ??= openLibc(symbols);
  return opened;
}
