import { createPrivateKey, randomBytes } from "node:crypto";
import { signCertificate } from "../../src/kit/issue-certificate.ts";
import { AcmeProblem, isBound, type Jwk, type Message, readMessage, thumbprint } from "./acme-message.ts";
import { type Validation, validate } from "./acme-validation.ts";
import { readRequest } from "./certificate-request.ts";
import { signedPair, testAuthority } from "./test-certificates.ts";

type Challenge = { readonly type: Validation["type"]; readonly token: string; status: string; error?: object };
type Authorization = { readonly name: string; readonly challenges: readonly Challenge[]; status: string };
type Order = {
  readonly account: string;
  readonly names: readonly string[];
  readonly authorizations: readonly number[];
  status: string;
  certificate?: string;
};

/** Where the gateway is, if need be once that is known, and what certificates are like. All of it may change while the server runs. */
export type AcmeServerSettings = {
  httpPort: number | Promise<number>;
  tlsPort: number | Promise<number>;
  /** What is offered; both unless told otherwise. */
  challenges?: readonly Validation["type"][];
  /** When certificates begin and end: milliseconds from now. */
  validFrom?: number;
  validUntil?: number;
  /** Given if an account needs one that there is already. */
  eab?: { readonly keyId: string; readonly hmacKey: string };
  /** Says that the server wants to be left alone for so many seconds. */
  isBusyFor?: number | undefined;
};

/** An ACME authority (RFC 8555) for tests, which believes nothing: it checks every message, and every challenge over a socket. */
export class AcmeServer implements AsyncDisposable {
  readonly settings: AcmeServerSettings;
  /** Problems that it answered with, and names that it issued certificates for. */
  readonly problems: string[] = [];
  readonly issued: string[] = [];
  /** Every message, by what it was for. */
  readonly messages: string[] = [];
  contacts: unknown;
  readonly #server: Bun.Server<undefined>;
  readonly #nonces = new Set<string>();
  readonly #accounts: Jwk[] = [];
  readonly #orders: Order[] = [];
  readonly #authorizations: Authorization[] = [];
  #spoiledNonces = 1;

  constructor(settings: AcmeServerSettings) {
    this.settings = settings;
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: signedPair({ name: "acme", hosts: ["127.0.0.1"] }),
      fetch: (request) => this.#answer(request),
    });
  }

  get directory(): string {
    return `https://127.0.0.1:${this.#server.port}/directory`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const headers = { "replay-nonce": this.#newNonce() };
    try {
      const { pathname } = new URL(request.url);
      if (pathname === "/directory") return Response.json(this.#places());
      if (pathname === "/nonce") return new Response(null, { headers });
      const { isBusyFor } = this.settings;
      if (isBusyFor !== undefined) {
        Object.assign(headers, { "retry-after": String(isBusyFor) });
        throw new AcmeProblem("rateLimited", "too many orders", 429);
      }
      const message = this.#read(request, await request.text());
      const { status = 200, location, body } = await this.#act(pathname, message);
      const more = location === undefined ? headers : { ...headers, location: this.#url(location) };
      if (typeof body === "string")
        return new Response(body, { headers: { ...more, "content-type": "application/pem-certificate-chain" } });
      return Response.json(body, { status, headers: more });
    } catch (error) {
      const problem = error instanceof AcmeProblem ? error : new AcmeProblem("serverInternal", String(error), 500);
      this.problems.push(problem.type);
      const body = { type: `urn:ietf:params:acme:error:${problem.type}`, detail: problem.message };
      return Response.json(body, {
        status: problem.status,
        headers: { ...headers, "content-type": "application/problem+json" },
      });
    }
  }

  #url(path: string): string {
    return `https://127.0.0.1:${this.#server.port}${path}`;
  }

  #places(): object {
    return { newNonce: this.#url("/nonce"), newAccount: this.#url("/account"), newOrder: this.#url("/orders") };
  }

  #newNonce(): string {
    const nonce = randomBytes(12).toString("base64url");
    this.#nonces.add(nonce);
    return nonce;
  }

  #read(request: Request, text: string): Message {
    if (request.method !== "POST") throw new AcmeProblem("malformed", "only POST is spoken here", 405);
    if (request.headers.get("content-type") !== "application/jose+json")
      throw new AcmeProblem("malformed", "the content type is wrong", 415);
    const message = readMessage(text, (kid) => this.#accounts[Number(kid.slice(this.#url("/account/").length))]);
    if (!this.#nonces.delete(message.nonce)) throw new AcmeProblem("badNonce", "this nonce was used, or never given");
    // Every client meets this one day.
    if (this.#spoiledNonces-- > 0) throw new AcmeProblem("badNonce", "this nonce is too old");
    if (message.url !== this.#url(new URL(request.url).pathname))
      throw new AcmeProblem("unauthorized", "this message was for another URL", 403);
    return message;
  }

  async #act(
    path: string,
    message: Message,
  ): Promise<{ readonly status?: number; readonly location?: string; readonly body: object | string }> {
    const [, what = "", id = "", more = ""] = path.split("/");
    this.messages.push(what);
    if (what === "account") return this.#openAccount(message);
    if (message.kid === undefined) throw new AcmeProblem("malformed", "an account has to sign this");
    if (what === "orders") return this.#newOrder(message);
    if (what === "authorization") return { body: this.#show(Number(id)) };
    if (what === "challenge") return { body: this.#begin(Number(id), Number(more), message) };
    const order = this.#orders[Number(id)];
    if (order === undefined || order.account !== message.kid)
      throw new AcmeProblem("unauthorized", "no such order", 404);
    if (what === "finalize") this.#finalize(order, message);
    if (what === "certificate") return { body: order.certificate ?? "" };
    return { body: this.#showOrder(order, Number(id)) };
  }

  #openAccount({ jwk, payload, url }: Message) {
    if (jwk === undefined) throw new AcmeProblem("malformed", "a new account shows its key");
    if (payload?.termsOfServiceAgreed !== true) throw new AcmeProblem("userActionRequired", "agree to the terms", 403);
    const { eab } = this.settings;
    if (eab !== undefined && !isBound(payload.externalAccountBinding, { url, jwk, ...eab }))
      throw new AcmeProblem("externalAccountRequired", "this account is bound to none that is known here", 403);
    this.contacts = payload.contact;
    const known = this.#accounts.findIndex((account) => thumbprint(account) === thumbprint(jwk));
    const id = known < 0 ? this.#accounts.push(jwk) - 1 : known;
    return { status: known < 0 ? 201 : 200, location: `/account/${id}`, body: { status: "valid" } };
  }

  #newOrder({ payload, kid = "" }: Message) {
    const identifiers = payload?.identifiers as readonly { readonly type: string; readonly value: string }[];
    const names = identifiers.map(({ value }) => value);
    const authorizations = names.map((name) => {
      const { challenges: types = ["tls-alpn-01", "http-01"] } = this.settings;
      const challenges = types.map((type) => ({
        type,
        token: randomBytes(16).toString("base64url"),
        status: "pending",
      }));
      return this.#authorizations.push({ name, challenges, status: "pending" }) - 1;
    });
    const order: Order = { account: kid, names, authorizations, status: "pending" };
    const id = this.#orders.push(order) - 1;
    return { status: 201, location: `/order/${id}`, body: this.#showOrder(order, id) };
  }

  #showOrder(order: Order, id: number): object {
    const all = order.authorizations.map((at) => this.#authorizations[at]?.status);
    if (order.status === "pending" && all.every((status) => status === "valid")) order.status = "ready";
    if (order.status === "pending" && all.includes("invalid")) order.status = "invalid";
    return {
      status: order.status,
      identifiers: order.names.map((value) => ({ type: "dns", value })),
      authorizations: order.authorizations.map((at) => this.#url(`/authorization/${at}`)),
      finalize: this.#url(`/finalize/${id}`),
      ...(order.certificate === undefined ? {} : { certificate: this.#url(`/certificate/${id}`) }),
    };
  }

  #show(id: number): object {
    const { name, challenges, status } = this.#authorizations[id] ?? { challenges: [] };
    const shown = challenges.map((challenge, at) => ({ ...challenge, url: this.#url(`/challenge/${id}/${at}`) }));
    return { status, identifier: { type: "dns", value: name }, challenges: shown };
  }

  /** Looks for the answer while the client asks again and again. */
  #begin(id: number, at: number, { payload, kid = "" }: Message): object {
    const authorization = this.#authorizations[id];
    const challenge = authorization?.challenges[at];
    const jwk = this.#accounts[Number(kid.slice(this.#url("/account/").length))];
    if (authorization === undefined || challenge === undefined || jwk === undefined)
      throw new Error("no such challenge");
    if (payload === undefined || challenge.status !== "pending") return challenge;
    challenge.status = "processing";
    const { type, token } = challenge;
    const port = type === "http-01" ? this.settings.httpPort : this.settings.tlsPort;
    const expected = `${token}.${thumbprint(jwk)}`;
    void validate({ type, token, name: authorization.name, expected, port }).then((wrong) => {
      challenge.status = wrong === undefined ? "valid" : "invalid";
      if (wrong !== undefined)
        challenge.error = { type: "urn:ietf:params:acme:error:incorrectResponse", detail: wrong };
      authorization.status = challenge.status;
    });
    return challenge;
  }

  #finalize(order: Order, { payload }: Message): void {
    if (order.status !== "ready") throw new AcmeProblem("orderNotReady", `the order is ${order.status}`, 403);
    const { names, publicKey } = readRequest(Buffer.from(String(payload?.csr), "base64url"));
    if (names.toSorted().join() !== order.names.toSorted().join())
      throw new AcmeProblem("badCSR", `the request is for ${names.join()}`);
    const { validFrom = -3_600_000, validUntil = 90 * 86_400_000 } = this.settings;
    const issuer = testAuthority();
    const period = { from: Date.now() + validFrom, until: Date.now() + validUntil };
    const wish = { name: order.names[0] ?? "", hosts: order.names, issuer, ...period };
    order.certificate = `${signCertificate(wish, publicKey, createPrivateKey(issuer.key))}${issuer.cert}`;
    order.status = "valid";
    this.issued.push(order.names.join());
  }
}
