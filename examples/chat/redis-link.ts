import { RedisClient } from "bun";

/** What a link needs: where Redis is, the channel to share, and whom to tell. */
export type RedisLinkOptions = {
  readonly url: string;
  readonly channel: string;
  /** A text that somebody, perhaps this very process, has published. */
  received(text: string): void;
  /** The link is there: at first, or again. */
  up(): void;
  /** The link is gone, or could not be made; told once until it is up again. */
  down(): void;
};

// A client that has subscribed can do nothing else, so publishing takes a second one.
type Pair = { readonly subscriber: RedisClient; readonly publisher: RedisClient };

const CONNECT_TIMEOUT_MS = 2_000;
const LONGEST_WAIT_MS = 5_000;

/** Shares texts with other processes through Redis pub/sub, and comes back by itself after a loss. */
export class RedisLink {
  readonly #options: RedisLinkOptions;
  #pair: Pair | undefined;
  #state: "new" | "up" | "down" | "closed" = "new";
  #attempts = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  private constructor(options: RedisLinkOptions) {
    this.#options = options;
  }

  /** Begins to connect; throws if the URL is not one of Redis. */
  static open(options: RedisLinkOptions): RedisLink {
    const link = new RedisLink(options);
    link.#connect();
    return link;
  }

  /** Publishes a text if the link is up; while it is down the text stays here. */
  publish(text: string): void {
    const pair = this.#pair;
    if (this.#state !== "up" || pair === undefined) return;
    pair.publisher.publish(this.#options.channel, text).catch(() => this.#lost(pair));
  }

  /** Ends the link for good. */
  close(): void {
    this.#state = "closed";
    clearTimeout(this.#retry);
    this.#drop();
  }

  #connect(): void {
    // Reconnecting is done here and not by the client, which gives up after a number of attempts.
    const options = { autoReconnect: false, enableOfflineQueue: false, connectionTimeout: CONNECT_TIMEOUT_MS };
    const pair = {
      subscriber: new RedisClient(this.#options.url, options),
      publisher: new RedisClient(this.#options.url, options),
    };
    this.#pair = pair;
    pair.subscriber.onclose = () => this.#lost(pair);
    pair.publisher.onclose = () => this.#lost(pair);
    this.#establish(pair).catch(() => this.#lost(pair));
  }

  async #establish(pair: Pair): Promise<void> {
    await Promise.all([pair.subscriber.connect(), pair.publisher.connect()]);
    await pair.subscriber.subscribe(this.#options.channel, (text) => this.#options.received(text));
    if (this.#pair !== pair) return;
    this.#attempts = 0;
    this.#state = "up";
    this.#options.up();
  }

  #lost(pair: Pair): void {
    if (this.#pair !== pair) return;
    this.#drop();
    if (this.#state === "closed") return;
    const wait = Math.random() * Math.min(LONGEST_WAIT_MS, 200 * 2 ** this.#attempts++);
    this.#retry = setTimeout(() => this.#connect(), wait);
    if (this.#state === "down") return;
    this.#state = "down";
    this.#options.down();
  }

  #drop(): void {
    const pair = this.#pair;
    this.#pair = undefined;
    pair?.subscriber.close();
    pair?.publisher.close();
  }
}
