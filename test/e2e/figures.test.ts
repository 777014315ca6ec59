import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeContent, type FrameParts, makeFrame, readFrames, someMask } from "../support/frames.ts";
import { handshake, request } from "../support/handshake.ts";
import { header } from "../support/http-message.ts";
import { Metrics } from "../support/metrics.ts";
import { Random } from "../support/random.ts";
import { RawClient } from "../support/raw-client.ts";
import { type LogLine, RunningGateway } from "../support/running-gateway.ts";
import { type BackendConnection, ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

const opcodes = { text: 1, binary: 2, continuation: 0, ping: 9, pong: 10, close: 8 } as const;

/** What one side has sent. */
class Tally {
  readonly frames: Record<number, number> = {};
  messages = 0;
  bytes = 0;

  add(frames: readonly FrameParts[]): void {
    for (const { opcode, isFinal = true, payload = "" } of frames) {
      this.frames[opcode] = (this.frames[opcode] ?? 0) + 1;
      if (opcode > 2) continue;
      this.bytes += Buffer.byteLength(payload);
      if (isFinal) this.messages++;
    }
  }
}

const random = new Random(7);
const sent = { client: new Tally(), upstream: new Tally() };

/** A random conversation's half: messages, whole or in fragments, with pings and pongs between them. */
function makeFrames(): FrameParts[] {
  const frames: FrameParts[] = [];
  for (let message = random.below(20); message > 0; message--) {
    const fragments = 1 + random.below(4);
    for (let at = 0; at < fragments; at++) {
      const opcode = at === 0 ? random.pick([1, 2]) : 0;
      frames.push({ opcode, payload: "x".repeat(random.below(300)), isFinal: at === fragments - 1 });
      if (random.below(5) === 0) frames.push({ opcode: random.pick([9, 10]), payload: "beat" });
    }
  }
  return frames;
}

const yaml = (port: number) => `
admin: { address: "127.0.0.1:0" }
log: { format: json }
drain: { window: 0s, grace: 1s }
listeners: { web: { address: "127.0.0.1:0" } }
upstreams: { app: { endpoints: [ "127.0.0.1:${port}" ] } }
routes:
  chat: { match: { path: /chat }, to: app, keepalive: { ping: off } }
  page: { match: { path: /page }, to: app }
`;

let backend: ScriptedBackend;
let gateway: RunningGateway;
let port = 0;

beforeAll(async () => {
  backend = ScriptedBackend.open(async (connection) => {
    for (;;) {
      const asked = await connection.request();
      const status = /\/([0-9]{3}) /.exec(asked.line)?.[1];
      if (status !== undefined) connection.write(`HTTP/1.1 ${status} Said\r\nContent-Length: 4\r\n\r\nbody`);
      else connection.switch(asked);
    }
  });
  gateway = await RunningGateway.open(yaml(backend.port));
  port = gateway.ready.listeners[0]?.port ?? 0;
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await backend[Symbol.asyncDispose]();
});

type Pair = { readonly client: RawClient; readonly upstream: BackendConnection };

async function open(): Promise<Pair> {
  const client = await RawClient.open(port);
  client.write(handshake({ target: "/chat" }));
  expect((await client.response()).status).toBe(101);
  const upstream = backend.connections.at(-1) as BackendConnection;
  return { client, upstream };
}

/** Both sides send all they have, and get all of the other's. */
async function converse({ client, upstream }: Pair): Promise<void> {
  const [ours, theirs] = [makeFrames(), makeFrames()];
  sent.client.add(ours);
  sent.upstream.add(theirs);
  const up = Buffer.concat(ours.map((frame) => makeFrame({ ...frame, mask: someMask })));
  const down = Buffer.concat(theirs.map((frame) => makeFrame(frame)));
  for (const piece of random.cut(up, 400)) client.write(piece);
  for (const piece of random.cut(down, 400)) upstream.write(piece);
  await until(() => client.received.length === down.length && upstream.rest.length === up.length);
}

/** A closing handshake, whoever begins it. */
async function close({ client, upstream }: Pair, by: "client" | "upstream", code: number | undefined): Promise<void> {
  const payload = code === undefined ? "" : closeContent(code, "bye");
  const frames = {
    client: makeFrame({ opcode: 8, payload, mask: someMask }),
    upstream: makeFrame({ opcode: 8, payload }),
  };
  for (const side of ["client", "upstream"] as const) sent[side].add([{ opcode: 8 }]);
  if (by === "client") {
    client.write(frames.client);
    await until(() => readFrames(upstream.rest).frames.at(-1)?.opcode === 8);
    upstream.write(frames.upstream);
  } else {
    upstream.write(frames.upstream);
    await until(() => readFrames(client.received).frames.at(-1)?.opcode === 8);
    client.write(frames.client);
  }
  await client.untilEnd();
  client.end();
  upstream.end();
}

const closings: readonly (readonly [by: "client" | "upstream", code: number | undefined, times: number])[] = [
  ["client", 1000, 7],
  ["client", 4321, 5],
  ["client", undefined, 3],
  ["upstream", 1001, 4],
  ["upstream", 4000, 6],
  ["upstream", undefined, 2],
];
const sessions = closings.reduce((sum, [, , times]) => sum + times, 0);

test("AC-18.1: the counters of sessions, frames, messages and bytes equal what was sent, exactly", async () => {
  const pairs: Pair[] = [];
  for (let count = 0; count < sessions; count++) pairs.push(await open());
  await Promise.all(pairs.map(converse));
  const during = await Metrics.read(gateway.ready.admin);
  expect(during.sum("causeway_sessions_open", 'route="chat"')).toBe(sessions);
  expect(during.sum("causeway_handshakes_total", 'route="chat"', 'status="101"')).toBe(sessions);
  const left = [...pairs];
  for (const [by, code, times] of closings) {
    await Promise.all(left.splice(0, times).map((pair) => close(pair, by, code)));
  }
  await until(async () => (await Metrics.read(gateway.ready.admin)).sum("causeway_sessions_open") === 0);
  const after = await Metrics.read(gateway.ready.admin);
  for (const [side, tally] of Object.entries(sent)) {
    const direction = `direction="from_${side}"`;
    for (const [name, opcode] of Object.entries(opcodes)) {
      const counted = after.sum("causeway_frames_total", direction, `opcode="${name}"`);
      expect([direction, name, counted]).toEqual([direction, name, tally.frames[opcode] ?? 0]);
    }
    expect([side, after.sum("causeway_messages_total", direction)]).toEqual([side, tally.messages]);
    expect([side, after.sum("causeway_payload_bytes_total", direction)]).toEqual([side, tally.bytes]);
  }
  for (const [by, code, times] of closings) {
    const labels = ['route="chat"', `code="${code ?? 1005}"`, `initiator="${by}"`, 'reason="closed"'];
    expect([by, code, after.sum("causeway_sessions_closed_total", ...labels)]).toEqual([by, code, times]);
  }
  expect(after.sum("causeway_sessions_closed_total")).toBe(sessions);
  expect(after.sum("causeway_sessions_opened_total")).toBe(sessions);
  expect(after.sum("causeway_session_duration_seconds_count")).toBe(sessions);
});

test("AC-18.2: each session has a line when it opens and one when it ends, and together they say what was sent", async () => {
  const linesOf = (kind: string): readonly LogLine[] => gateway.lines.filter((line) => line.kind === kind);
  await until(() => linesOf("session-close").length === sessions);
  const opened = new Map(linesOf("session-open").map((line) => [line.session, line]));
  expect(opened.size).toBe(sessions);
  const sums = { fromClient: 0, fromUpstream: 0, messages: 0 };
  for (const line of linesOf("session-close")) {
    const { requestId, client, route, upstream, endpoint } = opened.get(line.session) ?? {};
    expect(line).toMatchObject({ requestId, client, route, upstream, endpoint });
    expect([route, upstream, endpoint]).toEqual(["chat", "app", `127.0.0.1:${backend.port}`]);
    expect(line.durationMs).toBeGreaterThanOrEqual(0);
    const { fromClient, fromUpstream, end } = line as unknown as {
      readonly fromClient: { readonly bytes: number; readonly messages: number };
      readonly fromUpstream: { readonly bytes: number; readonly messages: number };
      readonly end: { readonly clientCode: number; readonly upstreamCode: number; readonly initiator: string };
    };
    sums.fromClient += fromClient.bytes;
    sums.fromUpstream += fromUpstream.bytes;
    sums.messages += fromClient.messages + fromUpstream.messages;
    expect(end).toMatchObject({ reason: "closed", clientCode: end.upstreamCode, isClean: true });
    expect(closings.some(([by, code = 1005]) => by === end.initiator && code === end.clientCode)).toBe(true);
  }
  expect(sums).toEqual({
    fromClient: sent.client.bytes,
    fromUpstream: sent.upstream.bytes,
    messages: sent.client.messages + sent.upstream.messages,
  });
});

test("AC-18.1: sessions that lose a side are counted by who was lost, and exactly once", async () => {
  for (let count = 0; count < 2; count++) {
    const { client, upstream } = await open();
    client.reset();
    await until(() => readFrames(upstream.rest).frames.at(-1)?.code === 1001);
    upstream.write(makeFrame({ opcode: 8, payload: closeContent(1001) }));
    upstream.end();
  }
  const { client, upstream } = await open();
  upstream.reset();
  await until(() => readFrames(client.received).frames.at(-1)?.code === 1014);
  client.write(makeFrame({ opcode: 8, payload: closeContent(1014), mask: someMask }));
  await client.untilEnd();
  client.end();
  await until(async () => (await Metrics.read(gateway.ready.admin)).sum("causeway_sessions_open") === 0);
  const after = await Metrics.read(gateway.ready.admin);
  const closed = (...labels: string[]) => after.sum("causeway_sessions_closed_total", ...labels);
  expect(closed()).toBe(sessions + 3);
  expect(closed('initiator="client"', 'reason="client_lost"')).toBe(2);
  expect(closed('initiator="upstream"', 'reason="upstream_lost"', 'code="1014"')).toBe(1);
});

test("AC-18.1, AC-18.2: requests and refused handshakes are counted and logged by status, exactly", async () => {
  const asked: readonly (readonly [bytes: string, times: number, name: string, route: string, status: number])[] = [
    [request({ target: "/page/200" }), 5, "causeway_requests_total", "page", 200],
    [request({ target: "/page/404" }), 3, "causeway_requests_total", "page", 404],
    [request({ target: "/page/503" }), 2, "causeway_requests_total", "page", 503],
    [request({ target: "/none" }), 4, "causeway_requests_total", "", 404],
    [request({ headers: { Host: "a b" } }), 2, "causeway_requests_total", "", 400],
    [handshake({ target: "/page/403" }), 3, "causeway_handshakes_total", "page", 403],
    [handshake({ target: "/none" }), 2, "causeway_handshakes_total", "", 404],
    [handshake({ headers: { "Sec-WebSocket-Version": "8" } }), 1, "causeway_handshakes_total", "", 426],
    [handshake({ headers: { "Sec-WebSocket-Key": "x" } }), 2, "causeway_handshakes_total", "", 400],
  ];
  const ids = new Map<string, number>();
  for (const [bytes, times, , , status] of asked) {
    for (let count = 0; count < times; count++) {
      await using client = await RawClient.open(port);
      const response = await client.write(bytes).response();
      expect(response.status).toBe(status);
      const id = header(response, "x-request-id");
      if (id !== undefined) ids.set(id, status);
    }
  }
  const metrics = await Metrics.read(gateway.ready.admin);
  for (const [, times, name, route, status] of asked) {
    const counted = metrics.sum(name, `route="${route}"`, `status="${status}"`);
    expect([name, route, status, counted]).toEqual([name, route, status, times]);
  }
  expect(metrics.sum("causeway_errors_total", 'code="no_route"')).toBe(6);
  const all = asked.reduce((sum, [, times]) => sum + times, 0);
  const lines = () => gateway.lines.filter((line) => line.kind === "http");
  await until(() => lines().length === all);
  // What the gateway answered by itself carries the id under which it is logged.
  for (const [id, status] of ids) expect(lines().find((line) => line.requestId === id)?.status).toBe(status);
  expect(lines().filter((line) => line.isHandshake).length).toBe(8);
});
