import type { Socket } from "bun";
import { type Answer, type Order, obey, targetOfThisProcess, until } from "./orders.ts";
import { Window } from "./window.ts";

// GET after GET on connections that are kept alive, one request in flight each. Status and body of every response are checked.

type Connection = { partial: Buffer | undefined; sentAt: number; isDone: boolean };

const target = targetOfThisProcess();
const request = Buffer.from(`GET / HTTP/1.1\r\nHost: ${target.host}:${target.port}\r\nAccept: */*\r\n\r\n`);
const expected = Buffer.alloc(target.payloadBytes, "x");
const headEnd = Buffer.from("\r\n\r\n");
const window = new Window();
const connections = new Set<Socket<Connection>>();
let isRunning = false;
let isEnding = false;
let inFlight = 0;

const handlers = {
  open(socket: Socket<Connection>) {
    connections.add(socket);
    sendRequest(socket);
  },
  data(socket: Socket<Connection>, chunk: Buffer) {
    const { partial } = socket.data;
    receive(socket, partial === undefined ? chunk : Buffer.concat([partial, chunk]));
  },
  end(socket: Socket<Connection>) {
    socket.end();
  },
  close(socket: Socket<Connection>) {
    connections.delete(socket);
    if (!isEnding) window.fail("connection lost");
    if (!socket.data.isDone) inFlight--;
  },
  error(socket: Socket<Connection>) {
    window.fail("socket error");
    socket.terminate();
  },
  connectError() {
    window.fail("connection refused");
    inFlight--;
  },
};

function sendRequest(socket: Socket<Connection>): void {
  socket.data.sentAt = performance.now();
  socket.write(request);
}

function receive(socket: Socket<Connection>, bytes: Buffer): void {
  const connection = socket.data;
  const end = bytes.indexOf(headEnd);
  const missing = end < 0 ? 1 : end + 4 + expected.length - bytes.length;
  connection.partial = missing > 0 ? bytes : undefined;
  if (missing > 0) return;
  if (missing < 0 || !isRight(bytes, end)) {
    window.fail("response differs from what the upstream sent");
    return socket.terminate();
  }
  window.record((performance.now() - connection.sentAt) * 1000);
  if (isRunning) return sendRequest(socket);
  connection.isDone = true;
  inFlight--;
}

/** "HTTP/1.1 200" and the whole body. */
function isRight(bytes: Buffer, end: number): boolean {
  const isOk = bytes[7] === 0x31 && bytes[9] === 0x32 && bytes[10] === 0x30 && bytes[11] === 0x30;
  return isOk && expected.compare(bytes, end + 4, bytes.length) === 0;
}

async function open(count: number): Promise<Answer> {
  for (let index = 0; index < count; index++) {
    inFlight++;
    const data: Connection = { partial: undefined, sentAt: 0, isDone: false };
    // A refused connection is counted by `connectError`; the promise tells the same once more.
    Bun.connect({ hostname: target.host, port: target.port, socket: handlers, data }).catch(() => {});
  }
  await until("the first responses", () => inFlight === 0);
  return { did: "open", failures: window.failures };
}

async function run(order: Extract<Order, { do: "run" }>): Promise<Answer> {
  isRunning = true;
  for (const socket of connections) {
    socket.data.isDone = false;
    inFlight++;
    sendRequest(socket);
  }
  const sample = await window.measure(order.measurement);
  isRunning = false;
  await until("the last responses", () => inFlight === 0);
  return { did: "run", sample: { ...sample, failures: window.failures } };
}

async function close(): Promise<Answer> {
  isEnding = true;
  for (const socket of connections) socket.end();
  await until("closing connections", () => connections.size === 0);
  return { did: "close", failures: window.failures };
}

obey((order) => (order.do === "open" ? open(order.count) : order.do === "run" ? run(order) : close()));
