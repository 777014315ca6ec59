import type { Socket } from "bun";
import { securityOf } from "./client-tls.ts";
import { checkHandshake, closeFrame, EchoMessage, handshakeTo } from "./frames.ts";
import { type Answer, type Order, obey, targetOfThisProcess, until } from "./orders.ts";
import { Window } from "./window.ts";

// WebSocket sessions with one message in flight each: a new one is sent when the echo of the last one is complete. Every echo is
// compared with what was sent, byte for byte.

type Session = {
  readonly message: EchoMessage;
  stage: "opening" | "open" | "closing";
  /** The bytes of the answer to the handshake as long as it is not complete. */
  answer: Buffer | undefined;
  /** How many bytes of the echo are here, and how many of the message the socket has not taken. */
  received: number;
  unsent: number;
  sentAt: number;
};

const target = targetOfThisProcess();
const handshake = handshakeTo(`${target.host}:${target.port}`);
const security = securityOf(target);
const window = new Window();
const sessions = new Set<Socket<Session>>();
const openingAtOnce = 64;
let isRunning = false;
let opening = 0;
let inFlight = 0;

const handlers = {
  open(socket: Socket<Session>) {
    sessions.add(socket);
    socket.write(handshake);
  },
  data(socket: Socket<Session>, chunk: Buffer) {
    const session = socket.data;
    if (session.stage === "open") receiveEcho(socket, session, chunk);
    else if (session.stage === "opening") receiveAnswer(socket, session, chunk);
  },
  drain(socket: Socket<Session>) {
    const { message, unsent } = socket.data;
    if (unsent > 0) socket.data.unsent -= Math.max(0, socket.write(message.sent, message.sent.length - unsent, unsent));
  },
  end(socket: Socket<Session>) {
    socket.end();
  },
  close(socket: Socket<Session>) {
    sessions.delete(socket);
    if (socket.data.stage === "closing") return;
    window.fail(socket.data.stage === "opening" ? "handshake not answered" : "session lost");
    if (socket.data.stage === "opening") opening--;
    else if (socket.data.received < socket.data.message.expected.length) inFlight--;
    socket.data.stage = "closing";
  },
  error(socket: Socket<Session>) {
    window.fail("socket error");
    socket.terminate();
  },
  connectError() {
    window.fail("connection refused");
    opening--;
  },
};

function receiveAnswer(socket: Socket<Session>, session: Session, chunk: Buffer): void {
  session.answer = session.answer === undefined ? chunk : Buffer.concat([session.answer, chunk]);
  const outcome = checkHandshake(session.answer);
  if (outcome === undefined) return;
  session.answer = undefined;
  opening--;
  session.stage = outcome === "opened" ? "open" : "closing";
  if (outcome === "opened") return sendMessage(socket, session);
  window.fail("handshake refused");
  socket.terminate();
}

function sendMessage(socket: Socket<Session>, session: Session): void {
  const { sent } = session.message;
  session.message.turn();
  session.received = 0;
  session.sentAt = performance.now();
  inFlight++;
  session.unsent = sent.length - Math.max(0, socket.write(sent));
}

function receiveEcho(socket: Socket<Session>, session: Session, chunk: Buffer): void {
  const { expected } = session.message;
  const { received } = session;
  const total = received + chunk.length;
  if (total > expected.length || expected.compare(chunk, 0, chunk.length, received, total) !== 0) {
    window.fail("echo differs from what was sent");
    return socket.terminate();
  }
  session.received = total;
  if (total < expected.length) return;
  inFlight--;
  window.record((performance.now() - session.sentAt) * 1000);
  if (isRunning) sendMessage(socket, session);
}

async function open(count: number): Promise<Answer> {
  for (let index = 0; index < count; index++) {
    opening++;
    const session: Session = {
      message: new EchoMessage(index, target.payloadBytes),
      stage: "opening",
      answer: undefined,
      received: 0,
      unsent: 0,
      sentAt: 0,
    };
    // A refused connection is counted by `connectError`; the promise tells the same once more.
    const { host: hostname, port } = target;
    Bun.connect({ hostname, port, ...security, socket: handlers, data: session }).catch(() => {});
    if (opening >= openingAtOnce) await until("opening sessions", () => opening < openingAtOnce);
  }
  await until("opening sessions", () => opening === 0);
  await until("the first echo of every session", () => inFlight === 0);
  return { did: "open", failures: window.failures };
}

async function run(order: Extract<Order, { do: "run" }>): Promise<Answer> {
  isRunning = true;
  for (const socket of sessions) sendMessage(socket, socket.data);
  const sample = await window.measure(order.measurement);
  isRunning = false;
  await until("the last echo of every session", () => inFlight === 0);
  return { did: "run", sample: { ...sample, failures: window.failures } };
}

async function close(): Promise<Answer> {
  for (const socket of sessions) {
    socket.data.stage = "closing";
    socket.write(closeFrame);
  }
  await until("closing sessions", () => sessions.size === 0);
  return { did: "close", failures: window.failures };
}

obey((order) => (order.do === "open" ? open(order.count) : order.do === "run" ? run(order) : close()));
