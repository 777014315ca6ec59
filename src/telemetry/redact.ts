const substitute = "***";

/** The names of query parameters whose values stay out of the log, ready to compare. */
export function redactedNames(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map((name) => name.toLowerCase()));
}

/** The target with the values of `names` replaced. Names count however they are percent-encoded and in any case. */
export function redactTarget(target: string, names: ReadonlySet<string>): string {
  const queryAt = target.indexOf("?");
  if (queryAt === -1 || names.size === 0) return target;
  // Some applications still take `;` as a separator, and a secret must not slip through there.
  const parts = target.slice(queryAt + 1).split(/([&;])/);
  return `${target.slice(0, queryAt + 1)}${parts.map((part) => redactPart(part, names)).join("")}`;
}

function redactPart(part: string, names: ReadonlySet<string>): string {
  const equalsAt = part.indexOf("=");
  if (equalsAt === -1) return part;
  const name = part.slice(0, equalsAt);
  return names.has(decoded(name).toLowerCase()) ? `${name}=${substitute}` : part;
}

function decoded(name: string): string {
  const spaced = name.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    // Bytes that are no UTF-8: decode what is ASCII, which is what names are made of.
    return spaced.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
}
