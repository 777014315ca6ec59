import type { ServerWebSocket } from "bun";
import { RedisLink } from "./redis-link.ts";
import { type Line, type Published, readPublished, readRequest } from "./words.ts";

/** What is kept for one browser. */
export type Guest = { name: string };

/** How lines reach the other instances: not at all, or through Redis, which may be gone at the moment. */
export type Sharing = "alone" | "redis" | "redis-lost";

const HISTORY = 50;
const CHANNEL = "chat:lines";

/** One instance's chat room: its browsers, the last lines, and the link to the other instances. */
export class Room {
  readonly #instance: string;
  readonly #guests = new Set<ServerWebSocket<Guest>>();
  readonly #lines: Line[] = [];
  // Tells this process's own lines, which Redis sends back, from those of another instance of the same name.
  readonly #sender = crypto.randomUUID();
  #sharing: Sharing = "alone";
  #link: RedisLink | undefined;

  private constructor(instance: string) {
    this.#instance = instance;
  }

  /** Opens a room; with `redisUrl` it shares its lines, and throws if that is not a URL of Redis. */
  static open(options: { readonly instance: string; readonly redisUrl: string | undefined }): Room {
    const room = new Room(options.instance);
    if (options.redisUrl) room.#share(options.redisUrl);
    return room;
  }

  /** A browser has come. */
  enter(guest: ServerWebSocket<Guest>): void {
    this.#guests.add(guest);
    send(guest, { type: "welcome", instance: this.#instance, sharing: this.#sharing, lines: this.#lines });
    this.#tellCount();
  }

  /** A browser has gone. */
  leave(guest: ServerWebSocket<Guest>): void {
    this.#guests.delete(guest);
    if (guest.data.name !== "") this.#say({ kind: "notice", name: "", text: `${guest.data.name} left` });
    this.#tellCount();
  }

  /** A browser has said something; what is wrong with it is told to that browser alone. */
  hear(guest: ServerWebSocket<Guest>, text: string): void {
    const request = readRequest(text);
    if ("problem" in request) send(guest, { type: "problem", says: request.problem });
    else if (request.type === "name") this.#rename(guest, request.name);
    else if (guest.data.name === "") send(guest, { type: "problem", says: "choose a name first" });
    else this.#say({ kind: "message", name: guest.data.name, text: request.text });
  }

  /** Closes every WebSocket with 1001 and ends the link. */
  close(): void {
    this.#link?.close();
    for (const guest of this.#guests) guest.close(1001, "the server is going away");
  }

  #rename(guest: ServerWebSocket<Guest>, name: string): void {
    const before = guest.data.name;
    guest.data.name = name;
    send(guest, { type: "you", name });
    if (before === name) return;
    const text = before === "" ? `${name} joined` : `${before} is now ${name}`;
    this.#say({ kind: "notice", name: "", text });
  }

  #say(words: Pick<Line, "kind" | "name" | "text">): void {
    const line: Line = { ...words, at: Date.now(), instance: this.#instance };
    this.#show(line);
    this.#link?.publish(JSON.stringify({ sender: this.#sender, line } satisfies Published));
  }

  #show(line: Line): void {
    this.#lines.push(line);
    if (this.#lines.length > HISTORY) this.#lines.shift();
    this.#tellAll({ type: "line", line });
  }

  #share(url: string): void {
    this.#sharing = "redis-lost";
    this.#link = RedisLink.open({
      url,
      channel: CHANNEL,
      received: (text) => this.#receive(text),
      up: () => this.#setSharing("redis", "Redis is there: every instance sees every message"),
      down: () => this.#setSharing("redis-lost", "Redis is gone: messages stay on this instance until it is back"),
    });
  }

  #receive(text: string): void {
    const published = readPublished(text);
    if (published && published.sender !== this.#sender) this.#show(published.line);
  }

  #setSharing(sharing: Sharing, text: string): void {
    this.#sharing = sharing;
    this.#tellAll({ type: "sharing", sharing });
    this.#show({ kind: "notice", at: Date.now(), instance: this.#instance, name: "", text });
  }

  #tellCount(): void {
    this.#tellAll({ type: "count", count: this.#guests.size });
  }

  #tellAll(message: unknown): void {
    const text = JSON.stringify(message);
    for (const guest of this.#guests) guest.send(text);
  }
}

function send(guest: ServerWebSocket<Guest>, message: unknown): void {
  guest.send(JSON.stringify(message));
}
