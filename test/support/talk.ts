import { until } from "./until.ts";
import type { WsPeer } from "./ws.ts";

/** Talks on many sockets, a number after the other, and says what of it was lost, doubled or out of order. */
export class Talk implements Disposable {
  readonly #peers: readonly WsPeer[];
  readonly #timer: Timer;
  #sent = 0;

  constructor(peers: readonly WsPeer[], intervalMs: number) {
    this.#peers = peers;
    this.#timer = setInterval(() => this.#say(), intervalMs);
  }

  get sent(): number {
    return this.#sent;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await until(() => this.#peers.every((peer) => peer.messages.length >= this.#sent || peer.end !== undefined));
  }

  get faults(): string[] {
    return this.#peers.flatMap((peer, at) => {
      if (peer.end !== undefined) return [`${at} closed with ${peer.end.code}`];
      const isWhole = peer.messages.length === this.#sent && peer.messages.every((text, n) => String(text) === `${n}`);
      return isWhole ? [] : [`${at} got ${peer.messages.join(" ")}`];
    });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #say(): void {
    for (const peer of this.#peers) peer.send(`${this.#sent}`);
    this.#sent++;
  }
}

type Timer = ReturnType<typeof setInterval>;
