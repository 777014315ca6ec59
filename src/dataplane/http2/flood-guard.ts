import { type BucketRate, TokenBucket } from "../../kit/token-bucket.ts";
import { ConnectionFault, errorCode } from "./frames.ts";

/** Frames that ask for nothing (PING, SETTINGS, PRIORITY, empty DATA, unknown ones): far more than any client sends. */
const usualTalk: BucketRate = { rate: 100, burst: 500 };
/** CONTINUATION frames of one header block. */
const maxContinuations = 32;

type Flood = { readonly says: string; readonly limit: string };

const resetFlood: Flood = { says: "the client resets too many streams", limit: "resets" };
const idleFlood: Flood = { says: "the peer sends too many frames that ask for nothing", limit: "idle_frames" };

/** How often a peer may do what costs it little; `idleTalk` is the usual one unless it is given. */
export type FloodLimits = {
  readonly streams: number;
  readonly resetsPerSecond: number;
  readonly idleTalk?: BucketRate;
};

/** Counts what costs a peer little and the gateway more, and breaks the connection of one that does it on purpose. */
export class FloodGuard {
  readonly #clock: () => number;
  readonly #resets: BucketRate;
  readonly #idleTalk: BucketRate;
  readonly #reset = new TokenBucket();
  readonly #talk = new TokenBucket();
  #continuations = 0;

  /** At once a client may abort all its streams beside what it may every second. */
  constructor(limits: FloodLimits, clock: () => number) {
    this.#idleTalk = limits.idleTalk ?? usualTalk;
    this.#resets = { rate: limits.resetsPerSecond, burst: limits.resetsPerSecond + limits.streams };
    this.#clock = clock;
  }

  /** The client has aborted a stream, or made the gateway do so (CVE-2023-44487, CVE-2025-8671). */
  onReset(): void {
    this.#count(this.#reset, this.#resets, resetFlood);
  }

  onIdleTalk(): void {
    this.#count(this.#talk, this.#idleTalk, idleFlood);
  }

  onHeaders(): void {
    this.#continuations = 0;
  }

  /** CVE-2024-27316 and its like. */
  onContinuation(): void {
    if (++this.#continuations > maxContinuations) throw calm("a header block has too many pieces", "header_pieces");
  }

  #count(bucket: TokenBucket, limit: BucketRate, flood: Flood): void {
    if (bucket.waitMs(limit, this.#clock()) > 0) throw calm(flood.says, flood.limit);
    bucket.take();
  }
}

/** The connection of a client that asks for too much ends; `limit` is what the metric calls it. */
export function calm(says: string, limit: string): ConnectionFault {
  return new ConnectionFault(errorCode.enhanceYourCalm, says, limit);
}
