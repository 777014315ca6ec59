import type { ProbeStream } from "./probe-stream.ts";

/** Bytes of a head, and of a body that is looked into. */
const mostHead = 64 * 1024;
const mostBody = 1024 * 1024;

/** The head of an answer to a probe, and the bytes that came after it. Field names are in lower case. */
export type AnswerHead = {
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
  readonly rest: Uint8Array;
};

/** Reads the head of the final answer; interim ones are passed over. */
export async function readAnswerHead(stream: ProbeStream): Promise<AnswerHead> {
  let bytes: Uint8Array = new Uint8Array(0);
  for (;;) {
    const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf("\r\n\r\n");
    if (end >= 0) {
      const head = parseHead(Buffer.from(bytes.subarray(0, end)).toString("latin1"), bytes.subarray(end + 4));
      if (head.status >= 200 || head.status === 101) return head;
      bytes = head.rest;
      continue;
    }
    if (bytes.length > mostHead) throw new Error("the head of the answer is longer than 64 KB");
    const chunk = await stream.read();
    if (chunk === undefined) throw new Error("the connection ended without an answer");
    bytes = Buffer.concat([bytes, chunk]);
  }
}

function parseHead(text: string, rest: Uint8Array): AnswerHead {
  const [first = "", ...lines] = text.split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1];
  if (status === undefined) throw new Error("the answer is not HTTP/1.1");
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(status), fields, rest };
}

/** Reads the body that belongs to a head, as text; of a longer one the first megabyte. */
export async function readBody(head: AnswerHead, stream: ProbeStream): Promise<string> {
  const isChunked = /(?:^|,)\s*chunked$/i.test(head.fields.get("transfer-encoding") ?? "");
  const length = Number(head.fields.get("content-length") ?? Number.POSITIVE_INFINITY);
  let bytes = Buffer.from(head.rest);
  while (bytes.length < mostBody) {
    const whole = isChunked ? wholeChunks(bytes) : bytes.length >= length ? bytes.subarray(0, length) : undefined;
    if (whole !== undefined) return whole.toString("utf8");
    const chunk = await stream.read();
    if (chunk === undefined) break;
    bytes = Buffer.concat([bytes, chunk]);
  }
  return bytes.toString("utf8");
}

/** The content of a chunked body (RFC 9112 §7.1), or undefined before its last chunk is there. */
function wholeChunks(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (!(size >= 0)) throw new Error("the answer has a bad chunk");
    if (size === 0) return Buffer.concat(parts);
    const from = lineEnd + 2;
    if (bytes.length < from + size + 2) return undefined;
    parts.push(bytes.subarray(from, from + size));
    at = from + size + 2;
  }
}
