import ipaddr from "ipaddr.js";

/** A block of addresses. `groups` holds its first address in 16-bit groups: 2 for IPv4, 8 for IPv6. */
export type IpRange = { readonly groups: readonly number[]; readonly prefixLength: number };

/** Reads an address or a CIDR block (`10.0.0.0/8`, `::1`, `fd00::/8`); undefined if it is neither. */
export function parseIpRange(text: string): IpRange | undefined {
  const slash = text.indexOf("/");
  const groups = parseGroups(slash < 0 ? text : text.slice(0, slash));
  if (groups === undefined) return undefined;
  const wholeLength = text.includes(":") ? 128 : 32;
  const given = slash < 0 ? wholeLength : parsePrefixLength(text.slice(slash + 1), wholeLength);
  if (given === undefined) return undefined;
  // A block of IPv4-mapped addresses is the IPv4 block; one that is wider stays a block of IPv6 addresses.
  if (wholeLength === 32 || groups.length === 8) return { groups, prefixLength: given };
  if (given >= 96) return { groups, prefixLength: given - 96 };
  return { groups: [0, 0, 0, 0, 0, 0xffff, ...groups], prefixLength: given };
}

/** A list of blocks that can be asked about an address. */
export class IpRanges {
  readonly #ranges: readonly IpRange[];

  constructor(ranges: readonly IpRange[]) {
    this.#ranges = ranges;
  }

  /** Throws an Error that names the first text that is neither an address nor a CIDR block. */
  static parse(texts: readonly string[]): IpRanges {
    return new IpRanges(
      texts.map((text) => {
        const range = parseIpRange(text);
        if (range === undefined) throw new Error(`"${text}" is neither an address nor a CIDR range`);
        return range;
      }),
    );
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  /** False also for a text that is no address. */
  contains(address: string): boolean {
    if (this.#ranges.length === 0) return false;
    const groups = parseGroups(address);
    if (groups === undefined) return false;
    for (const range of this.#ranges) if (isWithin(groups, range)) return true;
    return false;
  }
}

/**
 * The one way to write an address: lower case, shortest form, no zone, IPv4 for an IPv4-mapped IPv6 address; undefined if the text
 * is no address.
 */
export function normalizeAddress(text: string): string | undefined {
  const groups = parseGroups(text);
  if (groups === undefined) return undefined;
  if (groups.length === 8) return new ipaddr.IPv6([...groups]).toRFC5952String();
  return text.includes(":") ? formatIpv4(groups) : text;
}

function isWithin(groups: readonly number[], range: IpRange): boolean {
  if (groups.length !== range.groups.length) return false;
  for (let at = 0, bits = range.prefixLength; bits > 0; at++, bits -= 16) {
    const shift = bits >= 16 ? 0 : 16 - bits;
    if ((groups[at] as number) >> shift !== (range.groups[at] as number) >> shift) return false;
  }
  return true;
}

/** An address in groups of 16 bits: 2 for IPv4 and for IPv4-mapped IPv6 addresses, 8 for the other IPv6 ones; undefined if it is none. */
export function addressGroups(text: string): readonly number[] | undefined {
  return parseGroups(text);
}

/** 2 groups for IPv4 and for IPv4-mapped IPv6 addresses, 8 for the other IPv6 ones. */
function parseGroups(text: string): readonly number[] | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** Four decimal numbers and nothing else: no octal, hexadecimal or short forms, which different programs read differently. */
function parseIpv4(text: string): readonly number[] | undefined {
  const groups = [0, 0];
  let at = 0;
  for (let part = 0; part < 4; part++) {
    const start = at;
    let value = 0;
    for (let digit = text.charCodeAt(at) - 48; digit >= 0 && digit <= 9 && at - start < 4; ) {
      value = value * 10 + digit;
      digit = text.charCodeAt(++at) - 48;
    }
    const length = at - start;
    if (length === 0 || value > 255 || (length > 1 && text.charCodeAt(start) === 48)) return undefined;
    if (part < 3 && text.charCodeAt(at++) !== 46) return undefined;
    groups[part >> 1] = ((groups[part >> 1] as number) << 8) | value;
  }
  return at === text.length ? groups : undefined;
}

function parseIpv6(text: string): readonly number[] | undefined {
  const zone = text.indexOf("%");
  const address = zone < 0 ? text : text.slice(0, zone);
  // The package reads an embedded IPv4 address with octal numbers too.
  const dotted = address.includes(".") ? address.slice(address.lastIndexOf(":") + 1) : undefined;
  if (dotted !== undefined && parseIpv4(dotted) === undefined) return undefined;
  if (!ipaddr.IPv6.isValid(address)) return undefined;
  const { parts } = ipaddr.IPv6.parse(address);
  const isMapped = parts[5] === 0xffff && parts.every((part, at) => at > 4 || part === 0);
  return isMapped ? parts.slice(6) : parts;
}

function parsePrefixLength(text: string, most: number): number | undefined {
  if (!/^(0|[1-9][0-9]{0,2})$/.test(text)) return undefined;
  const length = Number(text);
  return length <= most ? length : undefined;
}

function formatIpv4(groups: readonly number[]): string {
  return groups.map((group) => `${group >> 8}.${group & 255}`).join(".");
}
