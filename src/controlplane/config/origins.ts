import { parseHostName, parseHostPattern } from "./addresses.ts";
import { Misread } from "./fields.ts";
import { parseRegex } from "./match.ts";

const hint = 'write an origin such as https://example.com, "https://*.example.com", "/regex/" or "*"';

/** Reads an allowed origin and gives it back as browsers write it: lower case, without the port that the scheme implies. */
export function parseAllowedOrigin(text: string): string | Misread {
  if (text === "*" || text === "null") return text;
  if (text.length > 2 && text.startsWith("/") && text.endsWith("/")) {
    const read = parseRegex(text.slice(1, -1));
    return read instanceof Misread ? read : text;
  }
  const [, scheme, host, port, rest] =
    /^([a-z][a-z0-9+.-]*):\/\/(\[[^\]]*\]|[^:/]*)(?::(\d{1,5}))?(.*)$/i.exec(text) ?? [];
  if (scheme === undefined || host === undefined) return new Misread(`"${text}" is no origin`, hint);
  if (rest !== "")
    return new Misread(`"${text}" is more than an origin`, `write ${text.slice(0, -(rest?.length ?? 0))}`);
  const read = parseHostPattern(host);
  if (read instanceof Misread) return host === "*" ? new Misread(`"${text}" is no origin`, hint) : read;
  const usual = usualPorts.get(scheme.toLowerCase());
  const literal = read.includes(":") ? `[${read}]` : read;
  return `${scheme.toLowerCase()}://${literal}${port === undefined || Number(port) === usual ? "" : `:${Number(port)}`}`;
}

const usualPorts: ReadonlyMap<string, number> = new Map([
  ["http", 80],
  ["https", 443],
]);

/** Reads where a redirect leads: a host name or address, and a port if one is wanted. */
export function parseRedirectHost(text: string): string | Misread {
  const [, host, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host === undefined) return new Misread(`"${text}" is no host`, "write a host such as www.example.com");
  if (Number(port ?? 1) > 65_535 || Number(port ?? 1) === 0)
    return new Misread(`${port} is no port`, "write a port from 1 to 65535");
  const read = host.startsWith("[") ? parseHostPattern(host) : parseHostName(host);
  if (read instanceof Misread) return read;
  return `${read.includes(":") ? `[${read}]` : read}${port === undefined ? "" : `:${port}`}`;
}
