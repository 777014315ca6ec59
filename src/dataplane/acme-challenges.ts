import { type AcmeChallenge, challengePath } from "../core/acme-challenge.ts";
import type { Incoming, Next } from "../core/exchange.ts";
import { HeaderList } from "../core/headers.ts";
import { makeContext, type SecureContext } from "./net/secure-context.ts";

/** What every listener shows while certificates are ordered. */
export class AcmeChallenges {
  #answers: ReadonlyMap<string, string> = new Map();
  #contexts: ReadonlyMap<string, SecureContext> = new Map();

  /** These are shown from now on, and no others. */
  use(challenges: readonly AcmeChallenge[]): void {
    const answers = new Map<string, string>();
    const contexts = new Map<string, SecureContext>();
    for (const challenge of challenges) {
      if (challenge.type === "http-01") answers.set(challengePath + challenge.token, challenge.answer);
      else contexts.set(challenge.name, makeContext({ cert: [challenge.cert], key: [challenge.key] }));
    }
    this.#answers = answers;
    this.#contexts = contexts;
  }

  /** True while a TLS handshake may be an authority's. */
  get areInHandshakes(): boolean {
    return this.#contexts.size > 0;
  }

  /** The certificate that an authority wants to see for a name. */
  contextFor(name: string): SecureContext | undefined {
    return this.#contexts.get(name);
  }

  /** The way of a request that only an authority makes, who looks for an answer; undefined for all others. */
  wayOf({ kind, head }: Incoming): Next | undefined {
    if (this.#answers.size === 0 || kind !== "request") return undefined;
    const answer = this.#answers.get(head.path);
    const isRead = head.method === "GET" || head.method === "HEAD";
    return answer === undefined || !isRead ? undefined : async () => replyWith(answer);
  }
}

function replyWith(answer: string) {
  const headers = HeaderList.from([
    ["Content-Type", "application/octet-stream"],
    ["Date", new Date().toUTCString()],
  ]);
  return { kind: "response", status: 200, reason: "OK", headers, body: new TextEncoder().encode(answer) } as const;
}
