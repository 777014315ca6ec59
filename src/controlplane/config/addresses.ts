import { isIP, isIPv4 } from "node:net";
import { domainToASCII } from "node:url";
import { Misread } from "./fields.ts";

/** A host and a port; an IPv6 literal has no brackets. */
export type Address = { readonly host: string; readonly port: number };

const listenHint = 'write an address such as ":8080", "127.0.0.1:8080" or "[::1]:8080"';
const endpointHint = "write host:port, such as 127.0.0.1:8888";
/** What the kernel takes for the path of a Unix socket, its zero byte left out. */
const longestSocketPath = 107;

/** Reads the address of a listener: an IP literal, `localhost`, or nothing for every interface, and a port (0: any free one). */
export function parseListenAddress(text: string): Address | Misread {
  const parts = splitAddress(text, listenHint);
  if (parts instanceof Misread) return parts;
  if (parts.host === "") return { host: "0.0.0.0", port: parts.port };
  if (parts.host === "localhost") return { host: "127.0.0.1", port: parts.port };
  if (isIP(parts.host) !== 0) return { host: parts.host.toLowerCase(), port: parts.port };
  return new Misread(`"${parts.host}" is no address of this machine`, listenHint);
}

/** The address of an endpoint; `isSecure` only if it was written with a scheme. */
export type EndpointAddress = Address & { readonly isSecure?: boolean };

/** Reads the address of an endpoint: a name or an IP literal, and a port; a URL without a path; or `unix:` and a path. */
export function parseEndpointAddress(text: string): EndpointAddress | Misread {
  if (text.startsWith("unix:")) return parseSocketPath(text);
  const [, scheme, rest = ""] = /^(https?|wss?):\/\/(.*?)\/?$/i.exec(text) ?? [];
  if (scheme === undefined) return parseHostAndPort(text);
  if (/[/?#@]/.test(rest)) {
    const [host = ""] = rest.split(/[/?#]/);
    return new Misread(
      `"${text}" is more than an address`,
      `write ${scheme}://${host.replace(/^.*@/, "")}, and rewrite the path in a route`,
    );
  }
  const isSecure = /s$/i.test(scheme);
  const hasPort = /:\d+$/.test(rest) && isIP(rest) === 0;
  const address = parseHostAndPort(hasPort ? rest : `${rest}:${isSecure ? 443 : 80}`);
  return address instanceof Misread ? address : { ...address, isSecure };
}

function parseSocketPath(text: string): Address | Misread {
  const path = text.slice("unix:".length);
  if (!path.startsWith("/") || path.endsWith("/") || path.includes("\0"))
    return new Misread(
      `"${text}" is no path of a socket`,
      "write unix: and its whole path, such as unix:/run/app.sock",
    );
  if (Buffer.byteLength(path) <= longestSocketPath) return { host: text, port: 0 };
  return new Misread(
    `this path is longer than ${longestSocketPath} bytes`,
    "have the application listen at a shorter path",
  );
}

function parseHostAndPort(text: string): Address | Misread {
  const parts = splitAddress(text, endpointHint);
  if (parts instanceof Misread) return parts;
  if (parts.port === 0) return new Misread("port 0 cannot be connected to", endpointHint);
  if (isIP(parts.host) !== 0) return parts;
  const name = parseHostName(parts.host);
  return name instanceof Misread ? name : { host: name, port: parts.port };
}

function splitAddress(text: string, hint: string): Address | Misread {
  const scheme = /^[a-z]+:\/\//i.exec(text)?.[0];
  if (scheme !== undefined) return new Misread(`"${text}" is a URL`, `leave out ${scheme} and any path, and ${hint}`);
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  if (isIP(text) === 6) return new Misread(`"${text}" has no port`, `write "[${text}]:8080"`);
  if (port === undefined)
    return new Misread(text.includes(":") ? `"${text}" is no address` : `"${text}" has no port`, hint);
  if (Number(port) > 65_535) return new Misread(`${port} is no port`, "write a port from 0 to 65535");
  if (bracketed !== undefined && isIP(bracketed) !== 6) return new Misread(`"[${bracketed}]" is no IPv6 address`, hint);
  return { host: bracketed ?? plain ?? "", port: Number(port) };
}

/** Reads a host name as DNS writes it (underscores are allowed, since many private zones have them), or an IPv4 literal. */
export function parseHostName(text: string): string | Misread {
  const name = text.toLowerCase();
  if (name === "") return new Misread("there is no host", "write a host name or an IP address");
  if (/[^\x00-\x7f]/.test(name)) return notAscii(text);
  if (name.endsWith(".")) return new Misread(`"${text}" ends with a dot`, `write ${text.slice(0, -1)}`);
  const labels = name.split(".");
  const isName = name.length <= 253 && labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
  if (!isName) return new Misread(`"${text}" is no host name`, "write letters, digits, hyphens and dots");
  // Who writes 10.0.0.256 means an address, and resolvers disagree about what it is.
  if (/^\d+$/.test(labels.at(-1) ?? "") && !isIPv4(name))
    return new Misread(`"${text}" is no IP address`, "write four numbers up to 255");
  return name;
}

function notAscii(text: string): Misread {
  const ascii = domainToASCII(text.replace(/^\*\./, ""));
  const hint =
    ascii === ""
      ? "write it in ASCII"
      : `write ${text.startsWith("*.") ? "*." : ""}${ascii}, its form in ASCII (punycode)`;
  return new Misread(`"${text}" holds letters that are not ASCII`, hint);
}

/** Reads the host of a route: a name, `*.` and a name, or an IP literal. */
export function parseHostPattern(text: string): string | Misread {
  const [, inner] = /^\[(.*)\]$/.exec(text) ?? [];
  const literal = inner ?? text;
  if (isIP(literal) !== 0) return literal.toLowerCase();
  if (text === "*") return new Misread('"*" is not needed', "leave out the host to match any host");
  if (/:\d*$/.test(text))
    return new Misread(`"${text}" holds a port, and routes match hosts alone`, `write ${text.replace(/:\d*$/, "")}`);
  const isWild = text.startsWith("*.");
  const name = isWild ? text.slice(2) : text;
  if (name.includes("*"))
    return new Misread(
      `"${text}" has a * that does not stand for the left end`,
      "write * only at the beginning, as in *.example.com",
    );
  if (/[^\x00-\x7f]/.test(name)) return notAscii(text);
  const host = parseHostName(name);
  return host instanceof Misread || !isWild ? host : `*.${host}`;
}

/** Is this address reachable from this machine only? */
export function isLoopback(host: string): boolean {
  return host === "::1" || (isIPv4(host) && host.startsWith("127.")) || host.startsWith("::ffff:127.");
}
