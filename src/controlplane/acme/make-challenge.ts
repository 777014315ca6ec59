import { createHash } from "node:crypto";
import type { AcmeChallenge } from "../../core/acme-challenge.ts";
import { octets } from "../../kit/der.ts";
import { issueCertificate } from "../../kit/issue-certificate.ts";

/** acmeIdentifier, RFC 8737 §6.1. */
const acmeIdentifier = "1.3.6.1.5.5.7.1.31";

/** What the gateway shows to prove that `name` is ours; `answer` is the key authorization, which begins with the token. */
export function makeChallenge(type: AcmeChallenge["type"], name: string, answer: string): AcmeChallenge {
  if (type === "http-01") return { type, name, token: answer.slice(0, answer.indexOf(".")), answer };
  const digest = createHash("sha256").update(answer).digest();
  const critical = [{ id: acmeIdentifier, value: octets(digest) }];
  return { type, name, ...issueCertificate({ name, hosts: [name], critical }) };
}
