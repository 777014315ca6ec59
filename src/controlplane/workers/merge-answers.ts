import { type DrainOrder, keyOfScope } from "../../core/drain-order.ts";
import type { EndpointVerdict } from "../../core/endpoint-state.ts";
import type { EndpointStatus, ListenerStatus, UpstreamStatus } from "../../core/figures.ts";
import type { Answer, Question, WorkerStatus } from "../../core/worker-protocol.ts";

/** An answer, and the worker that gave it. */
export type AnswerOf<A extends Answer> = { readonly worker: string; readonly answer: A };

/** One answer to a question from all workers together. */
export function mergeAnswers<Q extends Question>(
  question: Q,
  answers: readonly AnswerOf<Answer>[],
): Extract<Answer, { about: Q["about"] }> {
  // Its `about` is that of the question, since each case below makes one of its own kind.
  return merge(question, answers) as Extract<Answer, { about: Q["about"] }>;
}

function merge(question: Question, answers: readonly AnswerOf<Answer>[]): Answer {
  const { about } = question;
  switch (about) {
    case "sessions": {
      const given = those(about, answers);
      const items = given.flatMap(({ worker, answer }) => answer.items.map((item) => ({ ...item, worker })));
      items.sort((one, other) => one.openedAt - other.openedAt);
      return { about, items: items.slice(0, question.limit), total: sum(given.map(({ answer }) => answer.total)) };
    }
    case "close":
      return { about, closed: sum(those(about, answers).map(({ answer }) => answer.closed)) };
    case "metrics":
      return { about, families: those(about, answers).flatMap(({ answer }) => answer.families) };
    case "status":
      return { about, status: mergeStatus(those(about, answers).map(({ answer }) => answer.status)) };
  }
}

function those<About extends Answer["about"]>(
  about: About,
  answers: readonly AnswerOf<Answer>[],
): readonly AnswerOf<Extract<Answer, { about: About }>>[] {
  // A link lets only answers through that are about what was asked.
  return answers.filter(({ answer }) => answer.about === about) as AnswerOf<Extract<Answer, { about: About }>>[];
}

/** What all workers say of themselves, added up. The gateway serves while one of them does. */
export function mergeStatus(all: readonly WorkerStatus[]): WorkerStatus {
  return {
    revision: Math.max(0, ...all.map(({ revision }) => revision)),
    state: all.some(({ state }) => state === "serving") ? "serving" : "draining",
    sessions: sum(all.map(({ sessions }) => sessions)),
    connections: sum(all.map(({ connections }) => connections)),
    sessionsByRevision: addUp(all.map(({ sessionsByRevision }) => sessionsByRevision)),
    sessionsByRoute: addUp(all.map(({ sessionsByRoute }) => sessionsByRoute)),
    listeners: mergeListeners(all.map(({ listeners }) => listeners)),
    upstreams: mergeUpstreams(all.flatMap(({ upstreams }) => upstreams)),
    verdicts: mergeVerdicts(all.flatMap(({ verdicts }) => verdicts ?? [])),
    drains: mergeDrains(all.flatMap(({ drains }) => drains ?? [])),
    residentMemory: sum(all.map(({ residentMemory }) => residentMemory)),
  };
}

/** The listeners of all workers; connections are added up. */
export function mergeListeners(all: readonly (readonly ListenerStatus[])[]): readonly ListenerStatus[] {
  const byName = Map.groupBy(all.flat(), ({ name }) => name);
  return [...byName.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    return [{ ...first, connections: sum([first, ...others].map(({ connections }) => connections)) }];
  });
}

function mergeUpstreams(all: readonly UpstreamStatus[]): readonly UpstreamStatus[] {
  const byName = Map.groupBy(all, ({ name }) => name);
  return [...byName.values()].flatMap((parts) => {
    const [first] = parts;
    if (first === undefined) return [];
    const isPanicking = parts.some((part) => part.isPanicking);
    return [{ ...first, isPanicking, endpoints: mergeEndpoints(parts.flatMap(({ endpoints }) => endpoints)) }];
  });
}

/** All workers are told the same, if not at the same moment. */
function mergeVerdicts(all: readonly EndpointVerdict[]): readonly EndpointVerdict[] {
  const byEndpoint = Map.groupBy(all, ({ upstream, address }) => `${upstream} ${address}`);
  return [...byEndpoint.values()].flatMap((parts) => parts.slice(0, 1));
}

function mergeDrains(all: readonly DrainOrder[]): readonly DrainOrder[] {
  const byScope = Map.groupBy(all, ({ scope }) => keyOfScope(scope));
  return [...byScope.values()].flatMap((parts) => parts.slice(0, 1));
}

/** Each worker has its own opinion of an endpoint's traffic; the worst one is shown. */
function mergeEndpoints(all: readonly EndpointStatus[]): readonly EndpointStatus[] {
  const byAddress = Map.groupBy(all, ({ address }) => address);
  return [...byAddress.values()].flatMap((parts) => {
    const worst = parts.find(({ state }) => state !== "healthy" && state !== "unchecked") ?? parts[0];
    return worst === undefined ? [] : [{ ...worst, ...addUpCounts(parts) }];
  });
}

const endpointCounts = [
  "sessions",
  "requests",
  "idleConnections",
  "sharedConnections",
  "handshakes",
  "answers",
  "answerMs",
  "connectFailures",
  "handshakeFailures",
  "answerFailures",
  "sessionFailures",
  "ejections",
] as const satisfies readonly (keyof EndpointStatus)[];

function addUpCounts(parts: readonly EndpointStatus[]): Pick<EndpointStatus, (typeof endpointCounts)[number]> {
  const counts = endpointCounts.map((name) => [name, sum(parts.map((part) => part[name]))] as const);
  // Every name of the list is there.
  return Object.fromEntries(counts) as Record<(typeof endpointCounts)[number], number>;
}

function addUp(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const [key, count] of all.flatMap((one) => Object.entries(one))) {
    counts.set(key, (counts.get(key) ?? 0) + count);
  }
  return Object.fromEntries(counts);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
