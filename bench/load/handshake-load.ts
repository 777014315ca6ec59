import type { Socket } from "bun";
import { securityOf } from "./client-tls.ts";
import { checkHandshake, closeFrame, handshakeTo } from "./frames.ts";
import { type Answer, type Order, obey, targetOfThisProcess, until } from "./orders.ts";
import { Window } from "./window.ts";

// Handshake after handshake: connect, upgrade, check the 101, close with a Close frame, wait for the end, and again. A handshake
// is counted, with its latency since the connect, when its 101 has been checked; closing is part of the work but not of the latency.
// Over TLS each of them is a full handshake, or resumes the session of the first connection.

type Attempt = { startedAt: number; isOpen: boolean; resumes: boolean; answer: Buffer | undefined };

const target = targetOfThisProcess();
const handshake = handshakeTo(`${target.host}:${target.port}`);
const security = securityOf(target);
const window = new Window();
/** What a connection resumes, once there has been one. */
let session: Buffer | undefined;
let isRunning = false;
let active = 0;

const handlers = {
  open(socket: Socket<Attempt>) {
    socket.write(handshake);
  },
  data(socket: Socket<Attempt>, chunk: Buffer) {
    const attempt = socket.data;
    if (attempt.isOpen) return;
    attempt.answer = attempt.answer === undefined ? chunk : Buffer.concat([attempt.answer, chunk]);
    const outcome = checkHandshake(attempt.answer);
    if (outcome === undefined) return;
    attempt.isOpen = true;
    if (target.tls?.resumes === true) session ??= sessionOf(socket);
    if (outcome === "opened") window.record((performance.now() - attempt.startedAt) * 1000);
    else window.fail("handshake refused");
    socket.write(closeFrame);
  },
  end(socket: Socket<Attempt>) {
    socket.end();
  },
  close(socket: Socket<Attempt>) {
    if (!socket.data.isOpen) window.fail("handshake not answered");
    next();
  },
  error(socket: Socket<Attempt>) {
    window.fail("socket error");
    socket.terminate();
  },
  connectError() {
    window.fail("connection refused");
    next();
  },
};

/** With a handler for the handshake Bun tells of a connection before it, which is the one moment to say what to resume. */
const resuming = {
  ...handlers,
  open(socket: Socket<Attempt>) {
    if (session !== undefined) socket.setSession(session);
    socket.data.resumes = session !== undefined;
  },
  handshake(socket: Socket<Attempt>, isDone: boolean) {
    if (!isDone) window.fail("TLS handshake failed");
    else if (socket.data.resumes && !socket.isSessionReused()) window.fail("session not resumed");
    socket.write(handshake);
  },
};

function sessionOf(socket: Socket<Attempt>): Buffer | undefined {
  const found: unknown = socket.getSession(); // its type says that nothing comes back
  return Buffer.isBuffer(found) ? found : undefined;
}

function next(): void {
  active--;
  if (isRunning) begin();
}

function begin(): void {
  active++;
  const data: Attempt = { startedAt: performance.now(), isOpen: false, resumes: false, answer: undefined };
  const { host: hostname, port } = target;
  const socket = target.tls?.resumes === true ? resuming : handlers;
  // A refused connection is counted by `connectError`; the promise tells the same once more.
  Bun.connect({ hostname, port, ...security, socket, data }).catch(() => {});
}

async function perform(count: number): Promise<Answer> {
  for (let index = 0; index < count; index++) begin();
  await until("the first handshakes", () => active === 0);
  return { did: "open", failures: window.failures };
}

let slots = 0;

async function open(count: number): Promise<Answer> {
  slots = count;
  return perform(count);
}

async function run(order: Extract<Order, { do: "run" }>): Promise<Answer> {
  isRunning = true;
  for (let index = 0; index < slots; index++) begin();
  const sample = await window.measure(order.measurement);
  isRunning = false;
  await until("the last handshakes", () => active === 0);
  return { did: "run", sample: { ...sample, failures: window.failures } };
}

async function close(): Promise<Answer> {
  return { did: "close", failures: window.failures };
}

obey((order) => (order.do === "open" ? open(order.count) : order.do === "run" ? run(order) : close()));
