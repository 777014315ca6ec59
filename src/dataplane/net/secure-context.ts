import { createSecureContext } from "node:tls";

/** A prepared TLS setup of Bun's: certificates, keys and authorities. Opaque, and costly enough to be kept. */
export type SecureContext = { readonly isSecureContext: unique symbol };

/** What a setup is made of; all in PEM. */
export type ContextParts = {
  readonly cert?: readonly string[];
  readonly key?: readonly string[];
  readonly ca?: string;
  readonly crl?: string;
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
};

/** Throws if the parts do not fit together. */
export function makeContext({ cert, key, ...parts }: ContextParts): SecureContext {
  const made: { readonly context?: unknown } = createSecureContext({
    ...parts,
    ...(cert === undefined ? {} : { cert: [...cert] }),
    ...(key === undefined ? {} : { key: [...key] }),
  });
  if (made.context === undefined) throw new Error("this Bun makes no secure contexts");
  // Sockets take the inner object, which has no type of its own.
  return made.context as SecureContext;
}
