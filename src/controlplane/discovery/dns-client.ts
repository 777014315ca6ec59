import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { within } from "../../kit/sleep.ts";
import { type AskedType, type DnsAnswer, type DnsQuestion, decodeAnswer, encodeQuery } from "./dns-message.ts";

/** Where a DNS server listens: an address literal without brackets. */
export type DnsServer = { readonly host: string; readonly port: number };

/** Whom a DNS client asks, and how patiently. */
export type DnsClientOptions = {
  /** In the order in which they are asked; at least one. */
  readonly servers: readonly DnsServer[];
  /** How long one server has for one answer (ms). */
  readonly timeoutMs: number;
};

/** The longest answer over TCP that is read (bytes); the protocol has none that is longer. */
const longest = 65_535;

/**
 * Asks DNS servers, one after the other until one answers, over UDP and, where an answer does not fit, over TCP. Rejects with an
 * Error if none of them gives an answer that makes sense.
 */
export class DnsClient {
  readonly #options: DnsClientOptions;

  constructor(options: DnsClientOptions) {
    this.#options = options;
  }

  async ask(name: string, type: AskedType): Promise<DnsAnswer> {
    const troubles: string[] = [];
    for (const server of this.#options.servers) {
      try {
        const answer = await this.#askOne(server, { id: randomInt(0x10000), name, type });
        // 0 and 3 are answers; all other codes say that the server has none (RFC 1035 §4.1.1).
        if (answer.code === 0 || answer.code === 3) return answer;
        throw new Error(`it answers with code ${answer.code}`);
      } catch (error) {
        const says = error instanceof Error ? error.message : String(error);
        troubles.push(`${server.host}:${server.port}: ${says}`);
      }
    }
    throw new Error(`no server has answered (${troubles.join("; ")})`);
  }

  async #askOne(server: DnsServer, question: DnsQuestion): Promise<DnsAnswer> {
    const answer = await this.#inTime(askOverUdp(server, question));
    return answer.isCut ? this.#inTime(askOverTcp(server, question)) : answer;
  }

  async #inTime(conversation: Conversation): Promise<DnsAnswer> {
    try {
      const answer = await within(conversation.answer, this.#options.timeoutMs, undefined);
      if (answer === undefined) throw new Error(`no answer within ${this.#options.timeoutMs} ms`);
      return answer;
    } finally {
      conversation.end();
    }
  }
}

/** A question under way. */
type Conversation = { readonly answer: Promise<DnsAnswer>; readonly end: () => void };

/** Each question has a socket, and so a port, of its own: together with the id it makes answers hard to forge (RFC 5452). */
function askOverUdp({ host, port }: DnsServer, question: DnsQuestion): Conversation {
  const { promise: answer, resolve, reject } = Promise.withResolvers<DnsAnswer>();
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  socket.on("error", reject);
  socket.on("message", (bytes) => settle(bytes, question, { resolve, reject }));
  socket.connect(port, host, () => socket.send(encodeQuery(question)));
  return { answer, end: () => socket.close() };
}

/** Over TCP a message has its length before it (RFC 1035 §4.2.2). */
function askOverTcp({ host, port }: DnsServer, question: DnsQuestion): Conversation {
  const { promise: answer, resolve, reject } = Promise.withResolvers<DnsAnswer>();
  const query = encodeQuery(question);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.length);
  let received: Buffer = Buffer.alloc(0);
  const socket = connect({ host, port }, () => socket.write(Buffer.concat([length, query])));
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("the connection ended before the answer")));
  socket.on("data", (bytes) => {
    received = Buffer.concat([received, typeof bytes === "string" ? Buffer.from(bytes) : bytes]);
    if (received.length < 2 || received.length < 2 + Math.min(longest, received.readUInt16BE(0))) return;
    const message = received.subarray(2, 2 + received.readUInt16BE(0));
    if (!settle(message, question, { resolve, reject })) reject(new Error("the answer belongs to another question"));
  });
  return { answer, end: () => socket.destroy() };
}

type Outcome = { readonly resolve: (answer: DnsAnswer) => void; readonly reject: (error: unknown) => void };

/** What does not belong to the question says nothing: the real answer may still come. */
function settle(bytes: Uint8Array, question: DnsQuestion, { resolve, reject }: Outcome): boolean {
  try {
    const answer = decodeAnswer(bytes, question);
    if (answer !== undefined) resolve(answer);
    return answer !== undefined;
  } catch (error) {
    reject(error);
    return true;
  }
}
