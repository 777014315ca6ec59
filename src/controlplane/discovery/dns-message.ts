import { isIPv6 } from "node:net";

/** The types of records that are asked for (RFC 1035 §3.2.2, RFC 3596, RFC 2782). */
export const recordType = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 } as const;

/** The types of records that are asked for (RFC 1035 §3.2.2, RFC 3596, RFC 2782). */
export type AskedType = "A" | "AAAA" | "SRV";

/** What is asked: a name without a dot at its end, in lower case. */
export type DnsQuestion = { readonly id: number; readonly name: string; readonly type: AskedType };

/** An address, or where a service is. `ttl` in seconds. */
export type DnsRecord =
  | { readonly type: "A" | "AAAA"; readonly ttl: number; readonly address: string }
  | {
      readonly type: "SRV";
      readonly ttl: number;
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    };

/** An answer that belongs to its question. `code` is 0 if it is good, 3 if there is no such name (RFC 1035 §4.1.1). */
export type DnsAnswer = { readonly code: number; readonly isCut: boolean; readonly records: readonly DnsRecord[] };

const headerLength = 12;
/** The most names that an alias may lead over. */
const mostAliases = 16;

/** A query with one question, recursion desired. */
export function encodeQuery({ id, name, type }: DnsQuestion): Uint8Array {
  const labels = name.split(".").map((label) => Buffer.from(label, "latin1"));
  const parts: Uint8Array[] = [];
  for (const label of labels) parts.push(Uint8Array.of(label.length), label);
  const header = Buffer.alloc(headerLength);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x0100, 2);
  header.writeUInt16BE(1, 4);
  const end = Buffer.from([0, 0, recordType[type], 0, 1]);
  return Buffer.concat([header, ...parts, end]);
}

/** Reads an answer; undefined if it does not belong to the question. Throws an Error if it does and makes no sense. */
export function decodeAnswer(bytes: Uint8Array, question: DnsQuestion): DnsAnswer | undefined {
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (message.length < headerLength || message.readUInt16BE(0) !== question.id) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & 0x8000) === 0 || message.readUInt16BE(4) !== 1) return undefined;
  const reader = new Reader(message, headerLength);
  const isOurs = reader.name() === question.name && reader.word() === recordType[question.type] && reader.word() === 1;
  if (!isOurs) return undefined;
  const isCut = (flags & 0x0200) !== 0;
  const records = isCut ? [] : readRecords(reader, message.readUInt16BE(6), question);
  return { code: flags & 0x000f, isCut, records };
}

/** The records of the answer section that the question, or an alias of it, leads to; with the smallest TTL on the way. */
function readRecords(reader: Reader, count: number, { name, type }: DnsQuestion): readonly DnsRecord[] {
  const aliases = new Map<string, { readonly to: string; readonly ttl: number }>();
  const found: { readonly owner: string; readonly record: DnsRecord }[] = [];
  for (let at = 0; at < count; at++) {
    const owner = reader.name();
    const kind = reader.word();
    reader.word();
    const ttl = reader.ttl();
    const length = reader.word();
    const end = reader.at + length;
    if (kind === recordType.CNAME) aliases.set(owner, { to: reader.name(), ttl });
    if (kind === recordType[type]) found.push({ owner, record: readRecord(reader, { type, ttl, length }) });
    reader.skipTo(end);
  }
  let owner = name;
  let ttl = Number.POSITIVE_INFINITY;
  for (let step = 0; step < mostAliases; step++) {
    const alias = aliases.get(owner);
    if (alias === undefined) break;
    owner = alias.to;
    ttl = Math.min(ttl, alias.ttl);
  }
  const meant = found.filter((one) => one.owner === owner);
  return meant.map(({ record }) => ({ ...record, ttl: Math.min(ttl, record.ttl) }));
}

type Given = { readonly type: AskedType; readonly ttl: number; readonly length: number };

function readRecord(reader: Reader, { type, ttl, length }: Given): DnsRecord {
  if (type === "SRV") {
    const [priority, weight, port] = [reader.word(), reader.word(), reader.word()];
    return { type, ttl, priority, weight, port, target: reader.name() };
  }
  if (length !== (type === "A" ? 4 : 16)) throw new Error("an address of the answer has a wrong length");
  return { type, ttl, address: type === "A" ? reader.bytes(4).join(".") : ipv6Text(reader.bytes(16)) };
}

/** Without the longest run of zeros left out; whoever compares addresses brings them into one form first. */
function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16)).join(":");
  if (!isIPv6(groups)) throw new Error("an address of the answer is none");
  return groups;
}

/** Reads a message from front to back, and throws where it ends too soon. */
class Reader {
  at: number;
  readonly #message: Buffer;

  constructor(message: Buffer, at: number) {
    this.#message = message;
    this.at = at;
  }

  word(): number {
    return this.bytes(2).readUInt16BE(0);
  }

  /** Seconds; a negative one is 0 (RFC 2181 §8). */
  ttl(): number {
    return Math.max(0, this.bytes(4).readInt32BE(0));
  }

  bytes(count: number): Buffer {
    this.skipTo(this.at + count);
    return this.#message.subarray(this.at - count, this.at);
  }

  skipTo(at: number): void {
    if (at > this.#message.length) throw new Error("the answer ends too soon");
    this.at = at;
  }

  /** A name in lower case; a pointer (RFC 1035 §4.1.4) may only lead back, so that no name is without end. */
  name(): string {
    const labels: string[] = [];
    let at = this.at;
    let border = at;
    let length = 0;
    for (let hasJumped = false; ; ) {
      const size = this.#byte(at);
      if (size >= 0xc0) {
        const to = ((size & 0x3f) << 8) | this.#byte(at + 1);
        if (to >= border) throw new Error("a name of the answer leads to itself");
        if (!hasJumped) this.at = at + 2;
        hasJumped = true;
        border = at = to;
        continue;
      }
      if (size > 63 || length + size > 255) throw new Error("a name of the answer is too long");
      if (size === 0) {
        if (!hasJumped) this.at = at + 1;
        return labels.join(".");
      }
      this.#byte(at + size);
      labels.push(this.#message.toString("latin1", at + 1, at + 1 + size).toLowerCase());
      at += size + 1;
      length += size + 1;
    }
  }

  #byte(at: number): number {
    const byte = this.#message[at];
    if (byte === undefined) throw new Error("the answer ends too soon");
    return byte;
  }
}
