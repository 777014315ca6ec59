import { ptr } from "bun:ffi";
import type { PeerAddress } from "../../core/wire.ts";
import { fixedMemory, type SystemCalls } from "./system-calls.ts";

// Linux: bits/socket.h, netinet/in.h.
const ipv4 = 2;
const ipv6 = 10;
/** What struct sockaddr_in and sockaddr_in6 take (bytes). */
const lengths = { [ipv4]: 16, [ipv6]: 28 } as const;

type Family = typeof ipv4 | typeof ipv6;

/** A parsed literal: what inet_pton(3) makes of it. */
type Literal = { readonly family: Family; readonly bytes: Uint8Array };

/** How many literals are remembered. Endpoints are few; what is above all bounds is a mistake of ours, and is forgotten. */
const mostLiterals = 4096;

/** How many IPv4 addresses are remembered as texts, one for each byte: connections of one client, or of a balancer before us, share one. */
const textSlots = 256;

/** The struct sockaddr that calls take and give, one after the other. */
export class SocketAddress {
  /** Where it stands, for calls. */
  readonly at;
  /** Where its length stands, for calls that give one. */
  readonly lengthAt;
  readonly #calls: SystemCalls;
  readonly #bytes = new Uint8Array(fixedMemory(128));
  readonly #length = new Uint32Array(fixedMemory(4));
  readonly #text = Buffer.from(fixedMemory(64));
  readonly #textAt = ptr(this.#text);
  readonly #numbers = new Int32Array(textSlots);
  readonly #texts: string[] = new Array<string>(textSlots).fill("0.0.0.0");
  readonly #literals = new Map<string, Literal | undefined>();

  constructor(calls: SystemCalls) {
    this.#calls = calls;
    this.at = ptr(this.#bytes);
    this.lengthAt = ptr(this.#length);
  }

  /** Makes room for what a call gives. */
  clear(): void {
    this.#length[0] = this.#bytes.length;
  }

  /** Puts an address there. Returns its family and length in bytes, or undefined if `host` is no literal (or one with a zone). */
  put(
    host: string,
    port: number,
  ): { readonly family: number; readonly isIpv6: boolean; readonly length: number } | undefined {
    const literal = this.#literalOf(host);
    if (literal === undefined) return undefined;
    const { family, bytes } = literal;
    const into = this.#bytes;
    into.fill(0, 0, lengths[family]);
    // The family is in the order of the machine, which is little-endian; the port in that of the network.
    into[0] = family;
    into[2] = port >> 8;
    into[3] = port & 0xff;
    into.set(bytes, family === ipv4 ? 4 : 8);
    return { family, isIpv6: family === ipv6, length: lengths[family] };
  }

  /** What a call has put there; undefined if that is no address of the Internet. */
  take(): PeerAddress | undefined {
    const from = this.#bytes;
    const port = ((from[2] as number) << 8) | (from[3] as number);
    if (from[0] === ipv4) return { address: this.#ipv4Text(), port };
    if (from[0] !== ipv6) return undefined;
    if (this.#calls.inet_ntop(ipv6, ptr(from, 8), this.#textAt, this.#text.length) === null) return undefined;
    return { address: this.#text.toString("latin1", 0, this.#text.indexOf(0)), port };
  }

  #ipv4Text(): string {
    const bytes = this.#bytes;
    let number = 0;
    let slot = 0;
    for (let at = 4; at < 8; at++) {
      const byte = bytes[at] as number;
      number = (number << 8) | byte;
      slot ^= byte;
    }
    if (this.#numbers[slot] === number) return this.#texts[slot] as string;
    const text = bytes.subarray(4, 8).join(".");
    this.#numbers[slot] = number;
    this.#texts[slot] = text;
    return text;
  }

  #literalOf(host: string): Literal | undefined {
    const known = this.#literals.get(host);
    if (known !== undefined || this.#literals.has(host)) return known;
    if (this.#literals.size >= mostLiterals) this.#literals.clear();
    const literal = this.#parse(host, host.includes(":") ? ipv6 : ipv4);
    this.#literals.set(host, literal);
    return literal;
  }

  #parse(host: string, family: Family): Literal | undefined {
    // A text of C ends there.
    if (host.includes("\0")) return undefined;
    const bytes = new Uint8Array(fixedMemory(family === ipv4 ? 4 : 16));
    const text = Buffer.from(`${host}\0`, "latin1");
    return this.#calls.inet_pton(family, ptr(text), ptr(bytes)) === 1 ? { family, bytes } : undefined;
  }
}
