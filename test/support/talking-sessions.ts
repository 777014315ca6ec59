import { Random } from "./random.ts";
import { until } from "./until.ts";
import { WsPeer } from "./ws.ts";

/** How much of what it has sent a session waits for at most (bytes). */
const mostUnanswered = 400_000;

/** What is said is cut from here. */
const words = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)));

/** Sessions in front of an echo that say random things of every size without a pause, and compare all that comes back. */
export class TalkingSessions implements Disposable {
  readonly peers: WsPeer[] = [];
  /** What came back that was not what was due. */
  readonly faults: string[] = [];
  messages = 0;
  #isStopped = false;
  readonly #waiting: Buffer[][] = [];

  /** Opens them on a port and begins to talk. `seed` decides what they say. */
  static async open(options: { port: number; path: string; count: number; seed: number }): Promise<TalkingSessions> {
    const talking = new TalkingSessions();
    for (let number = 0; number < options.count; number++) {
      const peer = await WsPeer.open(options.port, { path: options.path });
      talking.#talk(peer, new Random(options.seed + number));
    }
    return talking;
  }

  /** Stops, and waits until everything has come back. */
  async settle(deadlineMs = 10_000): Promise<void> {
    this.#isStopped = true;
    await until(() => this.#waiting.every((due) => due.length === 0) || this.faults.length > 0, deadlineMs);
  }

  [Symbol.dispose](): void {
    this.#isStopped = true;
    for (const { socket } of this.peers) socket.terminate();
  }

  #talk(peer: WsPeer, random: Random): void {
    const due: Buffer[] = [];
    let unanswered = 0;
    const number = this.peers.push(peer) - 1;
    this.#waiting.push(due);
    peer.keeps = false;
    const say = (): void => {
      while (!this.#isStopped && unanswered < mostUnanswered) {
        const size = random.below(10) === 0 ? random.below(65_000) : random.below(2000);
        const from = random.below(words.length - size);
        const message = words.subarray(from, from + size);
        due.push(message);
        unanswered += message.length + 1000;
        peer.send(message);
      }
    };
    peer.onMessage = (message) => {
      const expected = due.shift();
      if (expected === undefined || !expected.equals(message))
        this.faults.push(`session ${number}: ${message.length} bytes came where ${expected?.length} were due`);
      this.messages++;
      unanswered -= message.length + 1000;
      setImmediate(say);
    };
    void peer.ended.then(({ code }) => {
      if (!this.#isStopped) this.faults.push(`session ${number} ended with ${code}`);
    });
    say();
  }
}
