import { expect, test } from "bun:test";
import type { EndpointStatus } from "../../core/figures.ts";
import type { WorkerStatus } from "../../core/worker-protocol.ts";
import { mergeStatus } from "./merge-answers.ts";

const endpoint = (more: Partial<EndpointStatus>): EndpointStatus => ({
  address: "10.0.0.1:80",
  weight: 100,
  state: "healthy",
  since: 1,
  why: "",
  sessions: 1,
  requests: 1,
  idleConnections: 1,
  sharedConnections: 1,
  handshakes: 1,
  answers: 1,
  answerMs: 1,
  connectFailures: 1,
  handshakeFailures: 1,
  answerFailures: 1,
  sessionFailures: 1,
  ejections: 1,
  ...more,
});

const status = (more: Partial<WorkerStatus>, ...endpoints: readonly EndpointStatus[]): WorkerStatus => ({
  revision: 1,
  state: "serving",
  sessions: 2,
  connections: 3,
  sessionsByRevision: { "1": 2 },
  sessionsByRoute: { live: 2 },
  listeners: [{ name: "web", host: "127.0.0.1", port: 80, connections: 3 }],
  upstreams: [{ name: "app", balance: "round-robin", isPanicking: false, endpoints }],
  residentMemory: 10,
  ...more,
});

test("what workers say of themselves is added up", () => {
  const other = { revision: 2, sessionsByRevision: { "1": 1, "2": 1 }, sessionsByRoute: { chat: 1, live: 1 } };
  expect(mergeStatus([status({}), status(other)])).toMatchObject({
    revision: 2,
    sessions: 4,
    connections: 6,
    sessionsByRevision: { "1": 3, "2": 1 },
    sessionsByRoute: { live: 3, chat: 1 },
    listeners: [{ name: "web", connections: 6 }],
    residentMemory: 20,
  });
});

test("every count of an endpoint is added up, and its worst state is shown", () => {
  const ejected = { state: "ejected", since: 5, why: "5 failures in a row" } as const;
  const merged = mergeStatus([status({}, endpoint({})), status({}, endpoint(ejected)), status({})]);
  const [found] = merged.upstreams[0]?.endpoints ?? [];
  expect(found).toMatchObject({ ...ejected, weight: 100, address: "10.0.0.1:80" });
  const { address, weight, state, since, why, ...counts } = found ?? endpoint({});
  expect(new Set(Object.values(counts))).toEqual(new Set([2]));
});

test("the gateway serves while one of its workers does", () => {
  expect(mergeStatus([status({ state: "draining" }), status({})]).state).toBe("serving");
  expect(mergeStatus([status({ state: "draining" })]).state).toBe("draining");
});
