import { sleep, within } from "../../src/kit/sleep.ts";
import { Random } from "../support/random.ts";
import { WsPeer } from "../support/ws.ts";
import { type Load, type LoadOptions, repeat } from "./load.ts";

/** Sessions at a time; every other one lasts until the end. */
const sessions = 40;
/** How long an echo may take on a busy machine (ms). */
const patienceMs = 20_000;

/** Sessions that send messages of all sizes, compare what comes back byte by byte, and end with a Close that has to come back too. */
export class EchoSessions implements Load {
  readonly name = "echoed messages";
  done = 0;
  readonly #options: LoadOptions;
  readonly #random: Random;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  run(signal: AbortSignal): Promise<void> {
    const { findings } = this.#options;
    const work = (place: number) => this.#converse(place % 2 === 0 ? Number.POSITIVE_INFINITY : this.#length(), signal);
    return repeat(work, { times: sessions, signal, name: "echo", findings });
  }

  #length(): number {
    return 1 + this.#random.below(100);
  }

  async #converse(exchanges: number, signal: AbortSignal): Promise<void> {
    const peer = await WsPeer.open(this.#options.port, { path: "/echo/" });
    try {
      for (let count = 0; count < exchanges && !signal.aborted; count++) {
        await this.#exchange(peer);
        await sleep(this.#random.below(120), signal);
      }
    } catch (error) {
      peer.socket.terminate();
      throw error;
    }
    const code = 4000 + this.#random.below(1000);
    peer.socket.close(code, "done");
    const end = await peer.untilEnd(patienceMs);
    if (end.code !== code || end.reason !== "done")
      throw new Error(`closed with ${end.code} ${end.reason}, not ${code}`);
  }

  /** One message, or a burst of them, and all of it back in order. */
  async #exchange(peer: WsPeer): Promise<void> {
    const sent = Array.from({ length: this.#random.below(5) === 0 ? 10 : 1 }, () => this.#message());
    peer.messages.length = 0;
    const back = Promise.withResolvers<void>();
    peer.onMessage = () => peer.messages.length === sent.length && back.resolve();
    for (const message of sent) peer.send(message);
    const ended = peer.ended.then((end) => `it ended with ${end.code} ${end.reason}`);
    const problem = await within(Promise.race([back.promise, ended]), patienceMs, `no echo in ${patienceMs} ms`);
    if (problem !== undefined) throw new Error(problem);
    for (const [at, message] of sent.entries()) {
      if (peer.messages[at]?.equals(message) !== true)
        throw new Error(`message ${at} of ${sent.length} came back changed`);
      this.done++;
    }
  }

  #message(): Uint8Array {
    const isLarge = this.#random.below(10) === 0;
    const size = this.#random.pick(isLarge ? [65_535, 65_536, 300_000] : [0, 1, 100, 125, 126, 4000]);
    // Every byte counts, but making up each of them at random is slow.
    return Buffer.alloc(size, this.#random.bytes(61));
  }
}
