/** The key of RFC 6455 §1.3, and what belongs to it. */
export const sampleKey = "dGhlIHNhbXBsZSBub25jZQ==";
export const sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** What of a handshake shall be different: a header with `undefined` is left out, one with an array stands several times. */
export type HandshakeParts = {
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
};

/** A WebSocket handshake as a client sends it. */
export function handshake(parts: HandshakeParts = {}): string {
  const headers: HandshakeParts["headers"] = {
    Host: "app.example",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": sampleKey,
    ...parts.headers,
  };
  return `${parts.method ?? "GET"} ${parts.target ?? "/"} ${parts.version ?? "HTTP/1.1"}\r\n${lines(headers)}\r\n`;
}

/** A plain request. */
export function request(parts: HandshakeParts = {}, body = ""): string {
  const headers = { Host: "app.example", ...parts.headers };
  return `${parts.method ?? "GET"} ${parts.target ?? "/"} ${parts.version ?? "HTTP/1.1"}\r\n${lines(headers)}\r\n${body}`;
}

function lines(headers: NonNullable<HandshakeParts["headers"]>): string {
  return Object.entries(headers)
    .flatMap(([name, value]) => (value === undefined ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`)))
    .join("");
}
