import { expect } from "bun:test";
import { type FixtureSettings, GatewayFixture } from "./gateway-fixture.ts";
import { type HandshakeParts, handshake, request } from "./handshake.ts";
import { type HttpMessage, header } from "./http-message.ts";
import { ScriptedBackend } from "./scripted-backend.ts";
import { until } from "./until.ts";

/** A feature of a route, run as a GET and as a handshake, which have to end the same way. */
export type ParityRow = {
  /** Names of what it is about; every filter and every other feature has to be named by a row. */
  readonly covers: readonly string[];
  readonly says: string;
  /** `{port}` in an address stands for the first backend, and `{dead}` for a port where nobody listens. */
  readonly settings?: Omit<FixtureSettings, "to">;
  readonly asked?: HandshakeParts;
  /** How often it is asked, with what came before still open; all of them are looked at. */
  readonly times?: number;
  readonly backends?: number;
  /** A whole answer of the upstream to both kinds; without it a 200 or 101, or `silent` for none. */
  readonly answer?: string;
  readonly gives: Partial<Seen>;
};

/** What became of an exchange, without what must differ between a GET and a handshake. */
export type Seen = {
  /** 200 also for a 101. */
  readonly status: number;
  /** What the upstream got. */
  readonly line: string | undefined;
  readonly upstream: Readonly<Record<string, string>> | undefined;
  /** What the client got. */
  readonly answer: Readonly<Record<string, string>>;
  readonly body: string;
  readonly backend: number | undefined;
  readonly record: Readonly<Record<string, unknown>>;
};

/** The body of an error of the gateway, for comparison. */
export function errorBody(code: string): string {
  // The runner's matchers pass for any value where they are compared.
  return expect.stringContaining(`"code":"${code}"`) as unknown as string;
}

export type ParityKind = "GET" | "Upgrade";

const makers = { GET: request, Upgrade: handshake } as const;

/** Fields of a handshake, and those that differ from one exchange to the next. */
const left = /^(?:connection|upgrade|sec-websocket-.*|content-length|transfer-encoding|date|x-request-id)$/;

/** Runs a row as one kind, and says what became of each exchange. */
export async function runParityRow(row: ParityRow, kind: ParityKind): Promise<Seen[]> {
  const backends = Array.from({ length: row.backends ?? 1 }, () => openBackend(row.answer));
  const ports = { port: backends[0]?.port ?? 0, dead: deadPort() };
  const text = JSON.stringify({ ...row.settings }).replace(/\{(port|dead)\}/g, (_, name) =>
    String(Reflect.get(ports, name)),
  );
  const settings: FixtureSettings = JSON.parse(text);
  const clients: Disposer[] = [];
  const gateway = GatewayFixture.open({ ...settings, to: backends });
  try {
    const seen: Seen[] = [];
    for (let turn = 0; turn < (row.times ?? 1); turn++) {
      const before = backends.map((backend) => backend.requests.length);
      const client = await gateway.connect();
      clients.push(client);
      client.write(makers[kind]({ ...row.asked, headers: { ...row.asked?.headers } }));
      const response = await client.response();
      await until(() => gateway.records.length > turn);
      const at = backends.findIndex((backend, index) => backend.requests.length > (before[index] ?? 0));
      const arrived = at < 0 ? undefined : backends[at]?.requests.at(-1);
      seen.push(describe({ response, arrived, at, record: gateway.records[turn] ?? {} }));
    }
    return seen;
  } finally {
    await gateway[Symbol.asyncDispose]();
    for (const one of [...clients, ...backends]) await one[Symbol.asyncDispose]();
  }
}

type Disposer = AsyncDisposable;

function openBackend(answer: string | undefined): ScriptedBackend {
  return ScriptedBackend.open(async (connection) => {
    for (;;) {
      const request = await connection.request();
      if (answer === "silent") continue;
      if (answer !== undefined) connection.write(answer);
      else if (header(request, "upgrade") === undefined)
        connection.write("HTTP/1.1 200 OK\r\nX-Up: 1\r\nServer: app\r\nContent-Length: 0\r\n\r\n");
      else connection.switch(request, { lines: "X-Up: 1\r\nServer: app\r\n" });
    }
  });
}

/** A port that was free a moment ago. */
function deadPort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  listener.stop(true);
  return listener.port;
}

function describe(what: { response: HttpMessage; arrived: HttpMessage | undefined; at: number; record: object }): Seen {
  const { response, arrived, at, record } = what;
  const id = header(response, "x-request-id") ?? "-";
  const body =
    response.status === 101
      ? ""
      : response.body
          .toString()
          .replaceAll(id, "ID")
          .replace(/"message":"[^"]*"/, "");
  return {
    status: response.status === 101 ? 200 : response.status,
    line: arrived?.line,
    upstream: arrived && fieldsOf(arrived),
    answer: fieldsOf(response),
    body,
    backend: at < 0 ? undefined : at,
    record: recordOf(record),
  };
}

function fieldsOf(message: HttpMessage): Record<string, string> {
  const names = new Set(message.headers.map(([name]) => name.toLowerCase()).filter((name) => !left.test(name)));
  // The endpoint's mark and the signature in a cookie: every run has other ports.
  const shown = (name: string): string => (header(message, name) ?? "").replace(/=[\w-]{12}\.[\w-]{24}(?=;)/, "=MARK");
  return Object.fromEntries([...names].sort().map((name) => [name, shown(name)]));
}

function recordOf(record: object): Record<string, unknown> {
  const names = ["host", "method", "target", "route", "upstream", "tries", "error", "report"];
  return Object.fromEntries(names.map((name) => [name, Reflect.get(record, name)]));
}
