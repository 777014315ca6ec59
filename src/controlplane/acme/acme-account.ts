import type { AcmeAuthority } from "../../core/acme-settings.ts";
import type { AccountKey } from "./account-key.ts";
import { AcmeFailure, failureOf, membersOf, retryAfterMs } from "./acme-failure.ts";

/** An answer of the authority. */
export type AcmeAnswer = {
  readonly body: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** The URL of what was made; empty if nothing was. */
  readonly location: string;
  readonly retryAfterMs: number | undefined;
};

/** How long one request may take (ms), and how often one is sent again because its nonce was not liked. */
const requestMs = 30_000;
const nonceTries = 10;

/** An account with an ACME authority (RFC 8555), which sends signed messages. It lives as long as one order. */
export class AcmeAccount {
  readonly key: AccountKey;
  readonly #settings: AcmeAuthority;
  readonly #signal: AbortSignal;
  #directory: Readonly<Record<string, unknown>> = {};
  #url = "";
  #nonce: string | undefined;

  private constructor(settings: AcmeAuthority, key: AccountKey, signal: AbortSignal) {
    this.key = key;
    this.#settings = settings;
    this.#signal = signal;
  }

  /** Makes the account, or finds it, which is the same message. Whoever calls this agrees to the terms of service. */
  static async open(settings: AcmeAuthority, key: AccountKey, signal: AbortSignal): Promise<AcmeAccount> {
    const account = new AcmeAccount(settings, key, signal);
    account.#directory = membersOf((await account.#ask(settings.directory)).json);
    const url = account.place("newAccount");
    const { email, eab } = settings;
    const wish = {
      termsOfServiceAgreed: true,
      ...(email === undefined ? {} : { contact: [`mailto:${email}`] }),
      ...(eab === undefined ? {} : { externalAccountBinding: key.bind(url, eab) }),
    };
    account.#url = (await account.post(url, wish)).location;
    if (account.#url === "") throw new AcmeFailure("the authority does not say where the account is");
    return account;
  }

  /** The URL of something in the directory. */
  place(name: "newNonce" | "newAccount" | "newOrder"): string {
    const url = this.#directory[name];
    if (typeof url === "string") return url;
    throw new AcmeFailure(`${this.#settings.directory} is no ACME directory: it has no ${name}`);
  }

  /** Sends a message; without a payload it only asks. */
  async post(url: string, payload?: object): Promise<AcmeAnswer> {
    for (let tries = 1; ; tries++) {
      const { response, text, json } = await this.#send(url, payload);
      const waitMs = retryAfterMs(response.headers, Date.now());
      if (response.ok) {
        return {
          body: membersOf(json),
          text,
          location: response.headers.get("location") ?? "",
          retryAfterMs: waitMs,
        };
      }
      const failure = failureOf(json, { what: `${url} answers ${response.status}`, retryAfterMs: waitMs });
      // RFC 8555 §6.5: the answer brings another one.
      if (failure.type !== "badNonce" || tries >= nonceTries) throw failure;
    }
  }

  async #send(url: string, payload: object | undefined) {
    const nonce = this.#nonce ?? (await this.#freshNonce());
    this.#nonce = undefined;
    const who = this.#url === "" ? { jwk: this.key.jwk } : { kid: this.#url };
    return this.#ask(url, {
      method: "POST",
      headers: { "content-type": "application/jose+json" },
      body: JSON.stringify(this.key.sign({ nonce, url, ...who }, payload)),
    });
  }

  async #freshNonce(): Promise<string> {
    const { response } = await this.#ask(this.place("newNonce"), { method: "HEAD" });
    const nonce = response.headers.get("replay-nonce");
    if (nonce === null) throw new AcmeFailure("the authority gives no nonce");
    return nonce;
  }

  async #ask(url: string, how: RequestInit = {}) {
    const { ca } = this.#settings;
    try {
      const response = await fetch(url, {
        ...how,
        redirect: "error",
        // Both end with the order.
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(requestMs)]),
        ...(ca === undefined ? {} : { tls: { ca } }),
      });
      const text = await response.text();
      this.#nonce = response.headers.get("replay-nonce") ?? this.#nonce;
      return { response, text, json: parseJson(response, text) };
    } catch (cause) {
      throw new AcmeFailure(`${url} cannot be asked: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
  }
}

function parseJson({ headers }: Response, text: string): unknown {
  // Certificates are no JSON, and neither is what a proxy on the way may answer.
  if (!/^application\/(?:problem\+)?json\b/.test(headers.get("content-type") ?? "")) return undefined;
  return JSON.parse(text);
}
