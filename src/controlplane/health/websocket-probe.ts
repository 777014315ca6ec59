import { randomBytes } from "node:crypto";
import type { ProbeSettings } from "../../core/health-settings.ts";
import { acceptFor, randomKey } from "../../core/websocket-handshake.ts";
import { type AnswerHead, readAnswerHead } from "./http-answer.ts";
import { FrameReader, maskedFrame, opcode } from "./probe-frames.ts";
import type { ProbeStream } from "./probe-stream.ts";

type WebSocketProbe = Extract<ProbeSettings, { type: "websocket" }>;

/** A Close of 1000, without a reason. */
const normalClose = Buffer.from([0x03, 0xe8]);

/** A real handshake, one exchange, and a closing handshake; throws what went wrong. */
export async function probeWebSocket(stream: ProbeStream, probe: WebSocketProbe, host: string): Promise<void> {
  const key = randomKey();
  const offer = probe.protocol === undefined ? "" : `Sec-WebSocket-Protocol: ${probe.protocol}\r\n`;
  stream.write(
    `GET ${probe.path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${offer}User-Agent: causeway-check\r\n\r\n`,
  );
  const head = await readAnswerHead(stream);
  checkSwitch(head, { key, protocol: probe.protocol });
  const frames = new FrameReader(stream, head.rest);
  if (probe.exchange.kind === "ping") await ping(stream, frames);
  else await sendAndExpect({ stream, frames, send: probe.exchange.send, expect: probe.exchange.expect });
  await close(stream, frames);
}

function checkSwitch({ status, fields }: AnswerHead, sent: { key: string; protocol: string | undefined }): void {
  if (status !== 101) throw new Error(`the handshake was answered with ${status}`);
  if (
    fields.get("upgrade")?.toLowerCase() !== "websocket" ||
    fields.get("sec-websocket-accept") !== acceptFor(sent.key)
  )
    throw new Error("the 101 does not belong to the handshake");
  if (fields.get("sec-websocket-protocol") !== sent.protocol)
    throw new Error(`the subprotocol is ${fields.get("sec-websocket-protocol") ?? "missing"}`);
}

async function ping(stream: ProbeStream, frames: FrameReader): Promise<void> {
  const payload = randomBytes(8);
  stream.write(maskedFrame(opcode.ping, payload));
  for (;;) {
    const frame = await nextOpen(frames);
    if (frame.opcode === opcode.pong && frame.payload.equals(payload)) return;
  }
}

/** Waits for a message that holds the text; others may come before it: a greeting, say. */
async function sendAndExpect(how: {
  readonly stream: ProbeStream;
  readonly frames: FrameReader;
  readonly send: string;
  readonly expect: string | undefined;
}): Promise<void> {
  how.stream.write(maskedFrame(opcode.text, Buffer.from(how.send)));
  let parts: Buffer[] = [];
  for (;;) {
    const frame = await nextOpen(how.frames);
    if (frame.opcode > opcode.text && frame.opcode !== 2) continue;
    if (frame.opcode !== opcode.continuation) parts = [];
    parts.push(frame.payload);
    if (
      frame.isFinal &&
      Buffer.concat(parts)
        .toString("utf8")
        .includes(how.expect ?? how.send)
    )
      return;
  }
}

async function nextOpen(frames: FrameReader): ReturnType<FrameReader["next"]> {
  const frame = await frames.next();
  if (frame.opcode !== opcode.close) return frame;
  const code = frame.payload.length >= 2 ? frame.payload.readUInt16BE() : 1005;
  throw new Error(`the server closed with ${code}`);
}

async function close(stream: ProbeStream, frames: FrameReader): Promise<void> {
  stream.write(maskedFrame(opcode.close, normalClose));
  while ((await frames.next()).opcode !== opcode.close);
}
