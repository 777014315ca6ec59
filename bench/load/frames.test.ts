import { expect, test } from "bun:test";
import { checkHandshake, EchoMessage, handshakeTo } from "./frames.ts";

test.each([
  [64, [0x82, 0xc0, 0, 0, 0, 0], [0x82, 64]],
  [16_384, [0x82, 0xfe, 0x40, 0, 0, 0, 0, 0], [0x82, 126, 0x40, 0]],
])(
  "a message of %p bytes is a masked frame, and its echo the same payload without mask",
  (bytes, sentHead, expectedHead) => {
    const { sent, expected } = new EchoMessage(7, bytes);
    expect([...sent.subarray(0, sentHead.length)]).toEqual(sentHead);
    expect([...expected.subarray(0, expectedHead.length)]).toEqual(expectedHead);
    expect(sent.subarray(sentHead.length)).toEqual(expected.subarray(expectedHead.length));
    expect(expected.length).toBe(expectedHead.length + bytes);
  },
);

test("messages of two sessions differ, and so do two of one", () => {
  const [one, other] = [new EchoMessage(1, 64), new EchoMessage(2, 64)];
  expect(one.expected.equals(other.expected)).toBe(false);
  const before = Buffer.from(one.expected);
  one.turn();
  expect(one.expected.equals(before)).toBe(false);
  expect(one.sent.subarray(6)).toEqual(one.expected.subarray(2));
});

const head = (lines: readonly string[]) => Buffer.from([...lines, "", ""].join("\r\n"));
const accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

test.each([
  ["opened", head(["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", accept])],
  ["refused", head(["HTTP/1.1 101 Switching Protocols", "Sec-WebSocket-Accept: wrong"])],
  ["refused", head(["HTTP/1.1 502 Bad Gateway", accept])],
  [undefined, Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${accept}\r\n`)],
] as const)("a handshake is %p by this answer", (outcome, answer) => {
  expect(checkHandshake(answer)).toBe(outcome);
});

test("the handshake asks for version 13 on the given host", () => {
  const text = handshakeTo("127.0.0.1:80").toString();
  expect(text).toContain("\r\nHost: 127.0.0.1:80\r\n");
  expect(text).toEndWith("Sec-WebSocket-Version: 13\r\n\r\n");
});
