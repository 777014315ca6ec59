import { readRequest } from "../../support/http-message.ts";

const fieldLine = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\0\r\n]*$/;
const requestLine = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ (?:\/[\x21-\x7e\x80-\xff]*|\*) HTTP\/1\.1$/;
const statusLine = /^HTTP\/1\.1 [1-5][0-9]{2} [\t\x20-\x7e\x80-\xff]*$/;

/** What is wrong with the next request that the gateway sent; undefined if nothing is. */
export function requestProblem(bytes: Buffer): string | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [line = "", ...fields] = bytes.toString("latin1", 0, end).split("\r\n");
  if (!requestLine.test(line)) return `the request line ${JSON.stringify(line)}`;
  const bad = fields.find((field) => !fieldLine.test(field));
  if (bad !== undefined) return `the header line ${JSON.stringify(bad)}`;
  const headers = fields.map((field): [string, string] => [field.slice(0, field.indexOf(":")), field]);
  if (headers.filter(([name]) => name.toLowerCase() === "host").length !== 1) return "not one Host field";
  const lengths = headers.filter(([name]) => /^(?:content-length|transfer-encoding)$/i.test(name));
  if (lengths.length > 1) return `two framings: ${lengths.map(([, field]) => field).join(", ")}`;
  try {
    readRequest(bytes);
    return undefined;
  } catch (error) {
    return `a body that cannot be read: ${String(error)}`;
  }
}

/** What is wrong with all that a client got on one connection; undefined if nothing is. */
export function answerProblem(bytes: Buffer): string | undefined {
  if (bytes.length === 0) return undefined;
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return `no whole head: ${JSON.stringify(bytes.toString("latin1", 0, 100))}`;
  const [line = "", ...fields] = bytes.toString("latin1", 0, end).split("\r\n");
  if (!statusLine.test(line)) return `the status line ${JSON.stringify(line)}`;
  const bad = fields.find((field) => !fieldLine.test(field));
  if (bad !== undefined) return `the header line ${JSON.stringify(bad)}`;
  return line.startsWith("HTTP/1.1 101 ") ? frameProblem(bytes.subarray(end + 4), "client") : undefined;
}

/** What is wrong with the frames that the gateway sent to one side; undefined if nothing is. The last one may be cut off. */
export function frameProblem(bytes: Buffer, to: "client" | "upstream"): string | undefined {
  let isInMessage = false;
  let isClosed = false;
  for (let at = 0; at + 2 <= bytes.length; ) {
    if (isClosed) return "bytes behind a Close frame";
    const first = bytes.readUInt8(at);
    const second = bytes.readUInt8(at + 1);
    const opcode = first & 15;
    const isFinal = first >= 128;
    const short = second & 127;
    if ((first & 0x70) !== 0) return "reserved bits that nobody asked for";
    if (second >= 128 !== (to === "upstream")) return "a mask that is missing or too many";
    if (opcode > 10 || (opcode > 2 && opcode < 8)) return `the opcode ${opcode}`;
    if (opcode >= 8 && (!isFinal || short > 125)) return "a control frame that is long or a fragment";
    if (opcode < 8 && (opcode === 0) !== isInMessage) return "a fragment out of order";
    if (opcode < 8) isInMessage = !isFinal;
    if (opcode === 8) isClosed = true;
    const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
    const headLength = 2 + lengthBytes + (to === "upstream" ? 4 : 0);
    if (at + headLength > bytes.length) return undefined;
    const length =
      lengthBytes === 0
        ? short
        : lengthBytes === 2
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    if ((lengthBytes === 2 && length < 126) || (lengthBytes === 8 && length < 65_536))
      return "a length in too long a form";
    if (length >= 2 ** 63) return "a length of 2^63 or more";
    at += headLength + length;
  }
  return undefined;
}
