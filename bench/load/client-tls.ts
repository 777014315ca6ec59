import { tlsTerms } from "../run/tls-files.ts";
import type { Target } from "./orders.ts";

/**
 * What Bun.connect has to be told to reach a target: nothing, or how to speak TLS. The key exchange is the one that every proxy knows;
 * left to itself Bun would agree with some on a larger one and with others not.
 */
export function securityOf({ tls }: Target): { readonly tls?: Bun.TLSOptions } {
  if (tls === undefined) return {};
  const options = { ca: tls.ca, ecdhCurve: tlsTerms.group };
  return { tls: options };
}
