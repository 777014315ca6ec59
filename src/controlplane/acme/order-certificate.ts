import { generateKeyPairSync } from "node:crypto";
import type { AcmeChallenge } from "../../core/acme-challenge.ts";
import { certificateRequest } from "../../kit/certificate-request.ts";
import type { IssuedPair } from "../../kit/issue-certificate.ts";
import { sleep } from "../../kit/sleep.ts";
import type { AcmeAccount, AcmeAnswer } from "./acme-account.ts";
import { AcmeFailure, failureOf, membersOf } from "./acme-failure.ts";
import { makeChallenge } from "./make-challenge.ts";

/** What a certificate is wanted for, and how control over the names is shown. */
export type CertificateOrder = {
  readonly names: readonly string[];
  readonly challenge: AcmeChallenge["type"];
  /** Makes the gateway answer this challenge until the result is disposed; resolves when all of it does. */
  readonly present: (challenge: AcmeChallenge) => Promise<Disposable>;
  readonly signal: AbortSignal;
};

/** Between two looks at what becomes of something: ever longer, unless the authority says how long (ms). */
const lookMs = { first: 250, most: 5000, longest: 60_000 };

/** Orders a certificate, shows control over its names, and fetches it with a key of its own (RFC 8555 §7.4). */
export async function orderCertificate(account: AcmeAccount, order: CertificateOrder): Promise<IssuedPair> {
  const identifiers = order.names.map((value) => ({ type: "dns", value }));
  const placed = await account.post(account.place("newOrder"), { identifiers });
  for (const url of textsIn(placed.body.authorizations)) await authorize(account, url, order);
  const what = { url: placed.location, signal: order.signal, what: "the order" };
  const ready = await settle(account, what, (status) => status !== "pending");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  if (ready.body.status === "ready") {
    const csr = Buffer.from(certificateRequest(order.names, privateKey)).toString("base64url");
    await account.post(textOf(ready.body.finalize, "finalize"), { csr });
  }
  const done = await settle(account, what, (status) => status !== "ready" && status !== "processing");
  if (done.body.status !== "valid")
    throw failureOf(done.body.error, { what: `the order is ${String(done.body.status)}` });
  const { text } = await account.post(textOf(done.body.certificate, "certificate"));
  return { cert: text, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

async function authorize(account: AcmeAccount, url: string, order: CertificateOrder): Promise<void> {
  const { body } = await account.post(url);
  // Shown for an earlier order, and still believed.
  if (body.status === "valid") return;
  const name = textOf(membersOf(body.identifier).value, "identifier");
  const offered = (Array.isArray(body.challenges) ? body.challenges : []).map(membersOf);
  const chosen = offered.find(({ type }) => type === order.challenge);
  if (chosen === undefined) {
    const types = offered.map(({ type }) => String(type)).join(", ") || "none";
    throw new AcmeFailure(`the authority does not offer ${order.challenge} for ${name}, but ${types}`);
  }
  const answer = account.key.authorize(textOf(chosen.token, "token"));
  using _ = await order.present(makeChallenge(order.challenge, name, answer));
  await account.post(textOf(chosen.url, "url"), {});
  const what = { url, signal: order.signal, what: `the authorization of ${name}` };
  const settled = await settle(account, what, (status) => status !== "pending");
  if (settled.body.status !== "valid") throw refused(name, settled);
}

/** Looks at something until it is settled. */
async function settle(
  account: AcmeAccount,
  { url, signal, what }: { readonly url: string; readonly signal: AbortSignal; readonly what: string },
  isSettled: (status: unknown) => boolean,
): Promise<AcmeAnswer> {
  for (let waitMs = lookMs.first; !signal.aborted; waitMs = Math.min(lookMs.most, waitMs * 2)) {
    const answer = await account.post(url);
    if (isSettled(answer.body.status)) return answer;
    await sleep(Math.min(lookMs.longest, answer.retryAfterMs ?? waitMs), signal);
  }
  throw new AcmeFailure(`${what} took too long`);
}

/** Why an authority does not believe that a name is ours. */
function refused(name: string, { body }: AcmeAnswer): AcmeFailure {
  const challenges = (Array.isArray(body.challenges) ? body.challenges : []).map(membersOf);
  const failed = challenges.find(({ error }) => error !== undefined);
  return failureOf(failed?.error, { what: `${name} could not be shown to be ours` });
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function textOf(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new AcmeFailure(`the authority's answer has no ${name}`);
}
