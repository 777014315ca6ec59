import type { Socket } from "bun";
import type { Bucket } from "../continuity/timeline.ts";
import { checkHandshake, closeFrame, EchoMessage, handshakeTo } from "./frames.ts";
import { type Answer, type Order, obey, targetOfThisProcess, until } from "./orders.ts";
import { Window } from "./window.ts";

// WebSocket sessions that each send a message every 100 ms, if the last one has come back. A session that is lost is opened again, as
// clients do, after a while that differs so that not all come at once. What they see is kept in buckets of time.

type Session = {
  readonly message: EchoMessage;
  stage: "opening" | "open" | "closing";
  answer: Buffer | undefined;
  /** How many bytes of the echo are here; all of them where none is due. */
  received: number;
  sentAt: number;
};

const target = targetOfThisProcess();
const handshake = handshakeTo(`${target.host}:${target.port}`);
const faults = new Window();
const sessions = new Set<Socket<Session>>();
const openingAtOnce = 64;
const tickMs = 10;
const ticksPerMessage = 10;
let wanted = 0;
let opening = 0;
let open = 0;
let isEnding = false;
let startMs = 0;
let bucketMs = Number.POSITIVE_INFINITY;
let buckets: Bucket[] = [];
let bucket = { messages: 0, lost: 0, refused: 0, longestMs: 0 };

const handlers = {
  open(socket: Socket<Session>) {
    sessions.add(socket);
    socket.write(handshake);
  },
  data(socket: Socket<Session>, chunk: Buffer) {
    if (socket.data.stage === "opening") receiveAnswer(socket, chunk);
    else if (socket.data.stage === "open") receiveEcho(socket, chunk);
  },
  end(socket: Socket<Session>) {
    socket.end();
  },
  close(socket: Socket<Session>) {
    sessions.delete(socket);
    const { stage } = socket.data;
    socket.data.stage = "closing";
    if (stage === "opening") return refused(socket.data);
    if (stage === "closing") return;
    turnTo(performance.now());
    bucket.lost++;
    open--;
    beginLater(socket.data);
  },
  error(socket: Socket<Session>) {
    socket.terminate();
  },
};

function refused(session: Session): void {
  opening--;
  turnTo(performance.now());
  bucket.refused++;
  beginLater(session);
}

function beginLater({ message }: Session): void {
  if (!isEnding) setTimeout(() => begin(message), 50 + Math.random() * 200);
}

function begin(message: EchoMessage): void {
  if (isEnding) return;
  opening++;
  const { length } = message.expected;
  const data: Session = { message, stage: "opening", answer: undefined, received: length, sentAt: 0 };
  const { host: hostname, port } = target;
  Bun.connect({ hostname, port, socket: { ...handlers, connectError: () => refused(data) }, data }).catch(() => {});
}

function receiveAnswer(socket: Socket<Session>, chunk: Buffer): void {
  const session = socket.data;
  session.answer = session.answer === undefined ? chunk : Buffer.concat([session.answer, chunk]);
  const outcome = checkHandshake(session.answer);
  if (outcome === undefined) return;
  if (outcome === "refused") return socket.terminate();
  session.answer = undefined;
  session.stage = "open";
  opening--;
  open++;
}

function receiveEcho(socket: Socket<Session>, chunk: Buffer): void {
  const session = socket.data;
  const { expected } = session.message;
  const total = session.received + chunk.length;
  if (total > expected.length || expected.compare(chunk, 0, chunk.length, session.received, total) !== 0) {
    faults.fail("echo differs from what was sent");
    return void socket.terminate();
  }
  session.received = total;
  if (total < expected.length) return;
  const now = performance.now();
  turnTo(now);
  bucket.messages++;
  bucket.longestMs = Math.max(bucket.longestMs, now - session.sentAt);
}

/** Closes the buckets whose time is over, so that what happens now is counted in the one of now. */
function turnTo(now: number): void {
  while (now - startMs >= (buckets.length + 1) * bucketMs) {
    buckets.push({ ...bucket, open });
    bucket = { messages: 0, lost: 0, refused: 0, longestMs: 0 };
  }
}

/** Every tenth session sends, each time others; none sends again before its echo is here. */
function send(tick: number): void {
  let index = 0;
  for (const socket of sessions) {
    if (index++ % ticksPerMessage !== tick % ticksPerMessage) continue;
    const { message, stage, received } = socket.data;
    if (stage !== "open" || received < message.expected.length) continue;
    message.turn();
    socket.data.received = 0;
    socket.data.sentAt = performance.now();
    if (socket.write(message.sent) < message.sent.length) faults.fail("message not taken by the socket");
  }
}

async function openAll(count: number): Promise<Answer> {
  wanted = count;
  for (let index = 0; index < count; index++) {
    begin(new EchoMessage(index, target.payloadBytes));
    if (opening >= openingAtOnce) await until("opening sessions", () => opening < openingAtOnce);
  }
  await until("opening sessions", () => open === wanted);
  return { did: "open", failures: faults.failures };
}

async function follow(order: Extract<Order, { do: "follow" }>): Promise<Answer> {
  const { forMs } = order;
  const startedAt = Date.now();
  startMs = performance.now();
  bucketMs = order.bucketMs;
  buckets = [];
  bucket = { messages: 0, lost: 0, refused: 0, longestMs: 0 };
  for (let tick = 0; buckets.length < forMs / bucketMs; tick++) {
    await Bun.sleep(tickMs);
    send(tick);
    turnTo(performance.now());
  }
  return { did: "follow", timeline: { startedAt, bucketMs, buckets }, failures: faults.failures };
}

async function closeAll(): Promise<Answer> {
  isEnding = true;
  for (const socket of sessions) {
    socket.data.stage = "closing";
    socket.write(closeFrame);
  }
  await until("closing sessions", () => sessions.size === 0);
  return { did: "close", failures: faults.failures };
}

obey((order) => {
  if (order.do === "open") return openAll(order.count);
  return order.do === "follow" ? follow(order) : closeAll();
});
