/** Longer ones are not read (characters). */
const longestToken = 16_384;

/**
 * A claim of a JWT in compact form (RFC 7519 §3), after `Bearer` if that is there: a text, a number or a truth value as text; undefined if
 * there is none. Nothing is verified, so that it may be a key and never a proof.
 */
export function jwtClaim(field: string, name: string): string | undefined {
  const token = /^bearer +/i.test(field) ? field.slice(field.indexOf(" ")).trim() : field;
  if (token.length > longestToken) return undefined;
  const [, payload, signature, ...more] = token.split(".", 4);
  if (payload === undefined || signature === undefined || more.length > 0) return undefined;
  const claims = parseClaims(payload);
  if (typeof claims !== "object" || claims === null || !Object.hasOwn(claims, name)) return undefined;
  const value: unknown = Reflect.get(claims, name);
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : undefined;
}

function parseClaims(payload: string): unknown {
  try {
    return JSON.parse(Buffer.from(payload, "base64url").toString());
  } catch {
    return undefined;
  }
}
