import { createSocket } from "node:dgram";
import { type AddressInfo, createServer } from "node:net";

/** A record that a server of the tests gives: an address, an alias, or where a service is. */
export type ZoneRecord =
  | { readonly type: "A" | "AAAA" | "CNAME"; readonly value: string; readonly ttl?: number }
  | {
      readonly type: "SRV";
      readonly value: readonly [priority: number, weight: number, port: number, target: string];
      readonly ttl?: number;
    };

/** What it does with a question: gives records, an error code, its own bytes, or nothing at all. */
export type ZoneAnswer = readonly ZoneRecord[] | { readonly code: number } | "silence" | "garbage" | "cut";

const types = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 } as const;

/** A DNS server on this machine, over UDP and TCP on one port, that says what the test wants. */
export class DnsServer implements AsyncDisposable {
  /** By name; what is not here does not exist. */
  readonly zone = new Map<string, ZoneAnswer>();
  /** `name type` of every question, in order. */
  readonly asked: string[] = [];
  /** Questions that came over TCP. */
  askedOverTcp = 0;
  readonly #udp = createSocket("udp4");
  readonly #tcp = createServer((socket) => {
    socket.on("data", (bytes) => {
      const query = Buffer.from(bytes).subarray(2);
      this.askedOverTcp++;
      const answer = this.#answer(query, "whole");
      if (answer === undefined) return;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.write(Buffer.concat([length, answer]));
    });
    socket.on("error", () => {});
  });

  static async open(): Promise<DnsServer> {
    const server = new DnsServer();
    await new Promise<void>((resolve) => server.#tcp.listen(0, "127.0.0.1", resolve));
    await new Promise<void>((resolve) => server.#udp.bind(server.port, "127.0.0.1", resolve));
    server.#udp.on("message", (query, from) => {
      const answer = server.#answer(query, "short");
      if (answer !== undefined) server.#udp.send(answer, from.port, from.address);
    });
    return server;
  }

  get port(): number {
    // A server on a TCP port has an address of this kind.
    return (this.#tcp.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#udp.close();
    this.#tcp.close();
  }

  #answer(query: Buffer, how: "short" | "whole"): Buffer | undefined {
    const { name, type, question } = readQuestion(query);
    const typeName = Object.entries(types).find(([, number]) => number === type)?.[0] ?? String(type);
    this.asked.push(`${name} ${typeName}`);
    const told = this.zone.get(name) ?? { code: 3 };
    if (told === "silence") return undefined;
    if (told === "garbage")
      return Buffer.concat([query.subarray(0, 2), Buffer.from([0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0]), question]);
    if (told === "cut" && how === "short") return message(query, question, { flags: 0x8380, records: [] });
    const known = told === "cut" ? (this.zone.get(`whole.${name}`) ?? []) : told;
    if (!Array.isArray(known)) return message(query, question, { flags: 0x8180 | codeOf(known), records: [] });
    const records = this.#records(name, type, known);
    return message(query, question, { flags: 0x8180, records });
  }

  /** Those of the type asked for, and aliases with what they lead to. */
  #records(name: string, type: number, known: readonly ZoneRecord[]): Buffer[] {
    return known.flatMap((record) => {
      if (record.type !== "CNAME") return types[record.type] === type ? [encode(name, record)] : [];
      const next = this.zone.get(record.value);
      return [encode(name, record), ...(Array.isArray(next) ? this.#records(record.value, type, next) : [])];
    });
  }
}

function codeOf(answer: ZoneAnswer): number {
  return typeof answer === "object" && "code" in answer ? answer.code : 0;
}

function readQuestion(query: Buffer): { name: string; type: number; question: Buffer } {
  const labels: string[] = [];
  let at = 12;
  for (let size = query[at] ?? 0; size > 0; size = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + size));
    at += size + 1;
  }
  return { name: labels.join("."), type: query.readUInt16BE(at + 1), question: query.subarray(12, at + 5) };
}

function message(
  query: Buffer,
  question: Buffer,
  { flags, records }: { flags: number; records: readonly Buffer[] },
): Buffer {
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(flags, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question, ...records]);
}

function encode(owner: string, record: ZoneRecord): Buffer {
  const data = dataOf(record);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(types[record.type], 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(record.ttl ?? 1, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([nameBytes(owner), fixed, data]);
}

function dataOf(record: ZoneRecord): Buffer {
  if (record.type === "SRV") return serviceOf(record.value);
  if (record.type === "CNAME") return nameBytes(record.value);
  if (record.type === "A") return Buffer.from(record.value.split(".").map(Number));
  const groups = Buffer.alloc(16);
  for (const [at, group] of record.value.split(":").entries()) groups.writeUInt16BE(Number.parseInt(group, 16), at * 2);
  return groups;
}

function serviceOf([priority, weight, port, target]: readonly [number, number, number, string]): Buffer {
  const numbers = Buffer.alloc(6);
  for (const [at, number] of [priority, weight, port].entries()) numbers.writeUInt16BE(number, at * 2);
  return Buffer.concat([numbers, nameBytes(target)]);
}

function nameBytes(name: string): Buffer {
  const labels =
    name === ""
      ? []
      : name.split(".").map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, "latin1"));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
