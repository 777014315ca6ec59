import type { ControlView, UpgradeOutcome, UpgradeRequest } from "../../src/controlplane/admin/view.ts";
import { Drains } from "../../src/controlplane/drains.ts";
import { EndpointVerdicts } from "../../src/controlplane/health/endpoint-verdicts.ts";
import type { Submission, SubmissionResult } from "../../src/controlplane/submission.ts";
import type { WorkerState } from "../../src/controlplane/workers/worker-keeper.ts";
import { AskError } from "../../src/controlplane/workers/worker-link.ts";
import type { Configuration } from "../../src/core/configuration.ts";
import type { UpstreamStatus } from "../../src/core/figures.ts";
import type { Issue } from "../../src/core/issue.ts";
import type { SessionFilter, SessionSummary } from "../../src/core/session.ts";
import type { Answer, Question } from "../../src/core/worker-protocol.ts";

const nothing = { messages: 0, frames: 0, bytes: 0, pings: 0, pongs: 0 };

/** A configuration with one listener and an upstream, and no routes. */
export const sampleConfiguration: Configuration = {
  model: {
    listeners: [
      {
        name: "web",
        host: "127.0.0.1",
        port: 0,
        trustedProxies: [],
        timeouts: { headMs: 10_000, keepAliveMs: 60_000 },
        limits: { requestLine: 8192, head: 65_536, headers: 100, connections: 0, pending: 0, pendingPerAddress: 0 },
      },
    ],
    routes: [],
    upstreams: [{ name: "app", endpoints: [], balance: "least-sessions", pool: { idle: 0, idleMs: 0 } }],
  },
  settings: {
    workers: 1,
    admin: { host: "127.0.0.1", port: 0 },
    log: { format: "json", access: true, redactQuery: [] },
    drain: { windowMs: 0, graceMs: 500, code: 1012, reason: "restart" },
  },
};

/** An open session with plausible figures. */
export function sampleSession(more: Partial<SessionSummary> & { readonly id: string }): SessionSummary {
  return {
    requestId: `r-${more.id}`,
    state: "open",
    route: "chat",
    upstream: "app",
    endpoint: "10.0.0.9:80",
    listener: "web",
    client: "10.0.0.7:5133",
    host: "example.com",
    path: "/chat",
    openedAt: 1_900_000_000_000,
    lastActivityAt: 1_900_000_000_000,
    revision: 3,
    fromClient: nothing,
    fromUpstream: nothing,
    queuedToClient: 0,
    queuedToUpstream: 0,
    ...more,
  };
}

/** A control process with one worker that answers from memory, for tests of the admin API and what asks it. */
export class FakeView implements ControlView {
  readonly version = "0.0.0-test";
  /** What an upgrade comes to. */
  upgraded: UpgradeOutcome = { reports: [], isControlReplaced: false };
  readonly upgradesAsked: UpgradeRequest[] = [];
  sessions: SessionSummary[] = [];
  asked: Question[] = [];
  state: WorkerState = "serving";
  /** The configurations that were sent, and what is said of them. */
  readonly submissions: Submission[] = [];
  verdict: SubmissionResult = { kind: "applied", revision: 4, issues: [], isSaved: false };
  failures = 0;
  /** What every question fails with. */
  failure: AskError | undefined;
  issues: readonly Issue[] = [];
  configuration: Configuration = sampleConfiguration;
  /** Those of the tests, and nobody checks them. */
  readonly endpoints = new EndpointVerdicts({
    log: { info() {}, warn() {}, error() {} },
    onVerdicts: () => {},
    probe: async () => ({ isGood: true, ms: 1 }),
  });
  async upgrade(request: UpgradeRequest): Promise<UpgradeOutcome> {
    this.upgradesAsked.push(request);
    return this.upgraded;
  }

  readonly drains = new Drains({
    log: { info() {}, warn() {}, error() {} },
    onOrders: () => {},
    endpoints: this.endpoints,
    configuration: () => this.configuration,
  });
  /** What the worker says of upstreams. */
  upstreams: readonly UpstreamStatus[] = [
    { name: "app", balance: "least-sessions", isPanicking: false, endpoints: [] },
  ];

  get reconciler(): ControlView["reconciler"] {
    const listeners = [{ name: "web", host: "127.0.0.1", port: 4567, connections: 0 }];
    const inForce = { revision: 3, configuration: this.configuration };
    const submit = async (submission: Submission): Promise<SubmissionResult> => {
      this.submissions.push(submission);
      return this.verdict;
    };
    const isSubmitted = this.submissions.length > 0;
    return { inForce, listeners, issues: this.issues, isLastReloadGood: true, lastReloadAt: 1, isSubmitted, submit };
  }

  get workers(): ControlView["workers"] {
    const ask = async <Q extends Question>(question: Q): Promise<Extract<Answer, { about: Q["about"] }>> => {
      this.asked.push(question);
      if (this.failure !== undefined) throw this.failure;
      // The answer's kind is the question's by construction.
      return this.#answer(question) as Extract<Answer, { about: Q["about"] }>;
    };
    const { state } = this;
    const worker = { id: "1", state, pid: 42, restarts: 0, failures: this.failures, startedAt: 1, ask };
    return { state, all: [worker], ask };
  }

  async metrics(): Promise<{ text: string; contentType: string }> {
    return { text: "x 1\n", contentType: "text/plain; version=0.0.4; charset=utf-8" };
  }

  hang(): void {
    this.failure = new AskError("timeout", "the worker did not answer within 2000 ms");
  }

  #answer(question: Question): Answer {
    switch (question.about) {
      case "sessions": {
        const items = this.sessions.filter((session) => matches(session, question.filter));
        return { about: "sessions", items: items.slice(0, question.limit), total: items.length };
      }
      case "close": {
        const closing = this.sessions.filter((session) => matches(session, question.filter));
        this.sessions = this.sessions.filter((session) => !closing.includes(session));
        return { about: "close", closed: closing.length };
      }
      case "metrics":
        return { about: "metrics", families: [] };
      case "status":
        return { about: "status", status: this.#status() };
    }
  }

  #status() {
    return {
      revision: 3,
      state: "serving",
      sessions: this.sessions.length,
      connections: 5,
      sessionsByRevision: { "3": this.sessions.length },
      sessionsByRoute: { chat: this.sessions.length },
      listeners: [{ name: "web", host: "127.0.0.1", port: 4567, connections: 5 }],
      upstreams: this.upstreams,
      residentMemory: 1,
    } as const;
  }
}

function matches(session: SessionSummary, filter: SessionFilter): boolean {
  const pairs = Object.entries(filter).map(([key, wanted]) => [Reflect.get(session, key), wanted]);
  return pairs.every(([has, wanted]) => has === wanted);
}
