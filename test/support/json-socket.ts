import { within } from "../../src/kit/sleep.ts";

/** How a WebSocket ended, as its client saw it. */
export type SocketEnd = { readonly code: number; readonly reason: string; readonly wasClean: boolean };

type Message = Readonly<Record<string, unknown>>;
type Wish = { readonly isIt: (message: Message) => boolean; readonly resolve: (message: Message) => void };

const DEADLINE_MS = 5_000;

/** A WebSocket client that speaks JSON and remembers what it got, so that a test can wait for a message with a deadline. */
export class JsonSocket implements AsyncDisposable {
  readonly messages: Message[] = [];
  /** Resolves when the socket has closed, also when it never opened. */
  readonly ended: Promise<SocketEnd>;
  readonly #socket: WebSocket;
  readonly #wishes = new Set<Wish>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.ended = new Promise((resolve) => {
      socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
    });
    socket.onmessage = (event) => this.#take(JSON.parse(String(event.data)));
  }

  /** Opens a socket; rejects if it does not open. The URL may be one of HTTP. */
  static async open(url: string | URL): Promise<JsonSocket> {
    const socket = new JsonSocket(new WebSocket(webSocketUrl(url)));
    await new Promise<void>((resolve, reject) => {
      socket.#socket.onopen = () => resolve();
      socket.ended.then((end) => reject(new Error(`the socket closed with ${end.code}`)));
    });
    return socket;
  }

  /** Resolves to how a socket ends that the other side closes by itself. */
  static async end(url: string | URL): Promise<SocketEnd> {
    return new JsonSocket(new WebSocket(webSocketUrl(url))).ended;
  }

  /** Sends a message. */
  send(message: unknown): void {
    this.#socket.send(JSON.stringify(message));
  }

  /** The first message, already there or still to come, that has these values. */
  async got(wanted: Message): Promise<Message> {
    const isIt = (message: Message) => Bun.deepMatch(wanted, message);
    const found = this.messages.find(isIt);
    if (found) return found;
    const coming = new Promise<Message>((resolve) => this.#wishes.add({ isIt, resolve }));
    const message = await within(coming, DEADLINE_MS, undefined);
    if (message) return message;
    throw new Error(`no ${JSON.stringify(wanted)} came, only ${JSON.stringify(this.messages)}`);
  }

  /** Closes the socket and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await within(this.ended, DEADLINE_MS, undefined);
  }

  #take(message: Message): void {
    this.messages.push(message);
    for (const wish of this.#wishes) {
      if (!wish.isIt(message)) continue;
      this.#wishes.delete(wish);
      wish.resolve(message);
    }
  }
}

function webSocketUrl(url: string | URL): string {
  return String(url).replace(/^http/, "ws");
}
