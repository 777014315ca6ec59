/** A message as it came, for tests to look at. Names of headers are as they came. */
export type HttpMessage = {
  /** The first line. */
  readonly line: string;
  /** Of a response; 0 for a request. */
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** False if the connection ended before the message did. */
  readonly isComplete: boolean;
  /** The head as it came, without the empty line. */
  readonly head: string;
};

type Found = { readonly message: HttpMessage; readonly rest: Buffer };

/** The value of a header, several joined with a comma; undefined if there is none. */
export function header(message: Pick<HttpMessage, "headers">, name: string): string | undefined {
  const values = message.headers
    .filter(([other]) => other.toLowerCase() === name.toLowerCase())
    .map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(", ");
}

/** The code of an error that the gateway answered with. */
export function errorCode(message: HttpMessage): string {
  // The shape is the gateway's own; anything else fails the test that asks.
  return (JSON.parse(message.body.toString()) as { error: { code: string } }).error.code;
}

/** The first response in `bytes`, or undefined if it is not there as a whole yet. */
export function readResponse(bytes: Buffer, about: { method: string; hasEnded: boolean }): Found | undefined {
  const start = readHead(bytes);
  if (start === undefined) return undefined;
  const status = Number(/^HTTP\/1\.1 ([0-9]{3})(?: |$)/.exec(start.line)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw new Error(`no status line: ${JSON.stringify(start.line)}`);
  const head = { ...start, status };
  if (about.method === "HEAD" || status < 200 || status === 204 || status === 304) return whole(head, 0);
  if (header(head, "transfer-encoding") === "chunked") return readChunks(head, about.hasEnded);
  const length = header(head, "content-length");
  if (length !== undefined) return readLength(head, Number(length), about.hasEnded);
  return about.hasEnded ? whole(head, head.rest.length) : undefined;
}

/** The first request in `bytes`, or undefined if it is not there as a whole yet. */
export function readRequest(bytes: Buffer): Found | undefined {
  const start = readHead(bytes);
  if (start === undefined) return undefined;
  const head = { ...start, status: 0 };
  if (header(head, "transfer-encoding") === "chunked") return readChunks(head, false);
  return readLength(head, Number(header(head, "content-length") ?? 0), false);
}

type Head = {
  readonly line: string;
  readonly status: number;
  readonly headers: HttpMessage["headers"];
  readonly head: string;
  readonly rest: Buffer;
};

function readHead(bytes: Buffer): Omit<Head, "status"> | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = bytes.toString("latin1", 0, end);
  const [line = "", ...fields] = head.split("\r\n");
  return { line, headers: fields.map(readField), head, rest: bytes.subarray(end + 4) };
}

function readField(text: string): readonly [string, string] {
  const match = /^([^\s:]+): ?(.*)$/s.exec(text);
  if (match === null) throw new Error(`no header line: ${JSON.stringify(text)}`);
  return [match[1] ?? "", match[2] ?? ""];
}

function whole(head: Head, length: number): Found {
  const { rest, ...start } = head;
  return {
    message: { ...start, body: rest.subarray(0, length), trailers: [], isComplete: true },
    rest: rest.subarray(length),
  };
}

function readLength(head: Head, length: number, hasEnded: boolean): Found | undefined {
  if (head.rest.length >= length) return whole(head, length);
  return hasEnded ? cut(head, head.rest) : undefined;
}

function cut(head: Head, body: Buffer): Found {
  const { rest: _, ...start } = head;
  return { message: { ...start, body, trailers: [], isComplete: false }, rest: Buffer.alloc(0) };
}

function readChunks(head: Head, hasEnded: boolean): Found | undefined {
  const chunks: Buffer[] = [];
  let rest = head.rest;
  for (;;) {
    const lineEnd = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.toString("latin1", 0, Math.max(0, lineEnd)), 16);
    if (lineEnd >= 0 && size === 0) return readTrailers(head, { chunks, rest: rest.subarray(lineEnd + 2), hasEnded });
    if (lineEnd < 0 || rest.length < lineEnd + 2 + size + 2) {
      return hasEnded ? cut(head, Buffer.concat(chunks)) : undefined;
    }
    chunks.push(rest.subarray(lineEnd + 2, lineEnd + 2 + size));
    if (rest.toString("latin1", lineEnd + 2 + size, lineEnd + 4 + size) !== "\r\n")
      throw new Error("a chunk has no end");
    rest = rest.subarray(lineEnd + 4 + size);
  }
}

function readTrailers(head: Head, at: { chunks: Buffer[]; rest: Buffer; hasEnded: boolean }): Found | undefined {
  const body = Buffer.concat(at.chunks);
  const { rest: _, ...start } = head;
  const isEmpty = at.rest.indexOf("\r\n") === 0;
  const end = isEmpty ? 0 : at.rest.indexOf("\r\n\r\n");
  if (end < 0) return at.hasEnded ? cut(head, body) : undefined;
  const trailers = isEmpty ? [] : at.rest.toString("latin1", 0, end).split("\r\n").map(readField);
  const message = { ...start, body, trailers, isComplete: true };
  return { message, rest: at.rest.subarray(end + (isEmpty ? 2 : 4)) };
}
