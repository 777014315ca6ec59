import type { HeaderList } from "./headers.ts";

/** The value of the first cookie of that name (RFC 6265 §5.4), as it came; undefined without one. */
export function cookieValue(headers: HeaderList, name: string): string | undefined {
  const { keys, values } = headers;
  for (let at = 0; at < keys.length; at++) {
    // HTTP/2 may spread cookies over several fields.
    const value = keys[at] === "cookie" ? valueIn(values[at] as string, name) : undefined;
    if (value !== undefined) return value;
  }
  return undefined;
}

function valueIn(cookies: string, name: string): string | undefined {
  for (let from = 0; from < cookies.length; ) {
    const semicolon = cookies.indexOf(";", from);
    const end = semicolon < 0 ? cookies.length : semicolon;
    const pair = cookies.slice(from, end).trim();
    if (pair.startsWith(name) && pair[name.length] === "=") return pair.slice(name.length + 1);
    from = end + 1;
  }
  return undefined;
}
