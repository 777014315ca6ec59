import { expect, test } from "bun:test";
import { closeContent, type FrameParts, makeFrame, someMask } from "../../support/frames.ts";
import { answerProblem, frameProblem, requestProblem } from "./well-formed.ts";

function frames(...parts: readonly FrameParts[]): Buffer {
  return Buffer.concat(parts.map(makeFrame));
}

const long = Buffer.alloc(70_000);

test("frames as they should be are no finding, also when the last one is cut off", () => {
  const good = frames(
    { opcode: 2, payload: "a", isFinal: false },
    { opcode: 9, payload: "ping" },
    { opcode: 0, payload: long },
    { opcode: 8, payload: closeContent(1000) },
  );
  for (const length of [0, 1, 3, 10, 500, good.length])
    expect(frameProblem(good.subarray(0, length), "client")).toBeUndefined();
});

for (const [name, bytes] of [
  ["a mask towards a client", frames({ opcode: 1, mask: someMask })],
  ["a reserved bit", frames({ opcode: 1, reserved: 0x40 })],
  ["an unknown opcode", frames({ opcode: 3 })],
  ["a fragmented ping", frames({ opcode: 9, isFinal: false })],
  ["a long ping", frames({ opcode: 9, payload: Buffer.alloc(126) })],
  ["a continuation of nothing", frames({ opcode: 0 })],
  ["a message inside a message", frames({ opcode: 1, isFinal: false }, { opcode: 1 })],
  ["a length in too long a form", frames({ opcode: 1, payload: "a", lengthForm: 64 })],
  ["a frame behind a Close", frames({ opcode: 8, payload: closeContent(1000) }, { opcode: 1 })],
] as const) {
  test(`${name} is a finding`, () => {
    expect(frameProblem(bytes, "client")).toBeString();
  });
}

test("an answer that is no HTTP is a finding, and so is one with a control character", () => {
  expect(answerProblem(Buffer.from("HTTP/1.1 200 OK\r\nA: b\r\n\r\n"))).toBeUndefined();
  expect(answerProblem(Buffer.from(""))).toBeUndefined();
  for (const text of [
    "hello",
    "HTTP/1.1 200 \r\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA b\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
  ])
    expect(answerProblem(Buffer.from(text))).toBeString();
});

test("a request with two framings, without Host, or with a body that is none is a finding", () => {
  const head = "GET / HTTP/1.1\r\nHost: a\r\n";
  expect(requestProblem(Buffer.from(`${head}\r\n`))).toBeUndefined();
  expect(requestProblem(Buffer.from(head))).toBeUndefined();
  for (const text of [
    "GET / HTTP/1.1\r\n\r\n",
    `${head}Host: b\r\n\r\n`,
    `${head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `${head}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n`,
    `${head}A : b\r\n\r\n`,
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
  ])
    expect(requestProblem(Buffer.from(text))).toBeString();
});
