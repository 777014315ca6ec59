import { createPublicKey, type KeyObject, sign } from "node:crypto";
import { bits, type Der, der, integer, objectId, sequence, setOf } from "./der.ts";
import { alternativeNames } from "./issue-certificate.ts";

const ecdsaWithSha256 = "1.2.840.10045.4.3.2";
const extensionRequest = "1.2.840.113549.1.9.14";

/** A request for a certificate that stands for these host names (PKCS #10, RFC 2986), signed by an EC key, in DER. */
export function certificateRequest(hosts: readonly string[], key: KeyObject): Der {
  const wanted = sequence(objectId(extensionRequest), setOf(sequence(alternativeNames(hosts))));
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  // The subject stays empty: names count where they are alternatives, and nowhere else.
  const body = sequence(integer(Uint8Array.of(0)), sequence(), publicKey, der(0xa0, wanted));
  return sequence(body, sequence(objectId(ecdsaWithSha256)), bits(sign("sha256", body, key)));
}
