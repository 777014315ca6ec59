import { describe, expect, test } from "bun:test";
import { TimerWheel } from "../../src/kit/timer-wheel.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { errorCode, header } from "../support/http-message.ts";
import { answering, friendly, okAnswer, type Script, ScriptedBackend, silent } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";

goWithoutBridge();

/** A script: answers with the request's target. */
const echoTarget: Script = answering((request) => okAnswer(request.line.split(" ")[1] ?? ""));

describe("HTTP: many requests on one connection", () => {
  test("a hundred requests in one write are answered in their order", async () => {
    await using backend = ScriptedBackend.open(echoTarget);
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    const targets = Array.from({ length: 100 }, (_, at) => `/${at}`);
    client.write(targets.map((target) => request({ target })).join(""));
    for (const target of targets) expect((await client.response()).body.toString()).toBe(target);
    expect(backend.connections.length).toBe(1);
  });

  test("a slow first answer holds the later ones back, and nothing is mixed up", async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    await using backend = ScriptedBackend.open(async (connection) => {
      for (;;) {
        const { line } = await connection.request();
        if (line.includes("/slow")) await released;
        connection.write(okAnswer(line.split(" ")[1] ?? ""));
      }
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(request({ target: "/slow" }) + request({ target: "/fast" }));
    await until(() => backend.requests.length === 1);
    await using other = await gateway.connect();
    other.write(request({ target: "/other" }));
    expect((await other.response()).body.toString()).toBe("/other");
    expect(client.text).toBe("");
    release();
    expect((await client.response()).body.toString()).toBe("/slow");
    expect((await client.response()).body.toString()).toBe("/fast");
  });

  test("bodies between pipelined requests are told from requests", async () => {
    await using backend = ScriptedBackend.open(answering((request) => okAnswer(request.body.toString())));
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    const inner = request({ target: "/inner" });
    const post = request({ method: "POST", headers: { "Content-Length": String(inner.length) } }, inner);
    const chunked = { "Transfer-Encoding": "chunked" };
    client.write(post + request({ method: "POST", headers: chunked }, "2\r\nhi\r\n0\r\n\r\n") + request());
    expect((await client.response()).body.toString()).toBe(inner);
    expect((await client.response()).body.toString()).toBe("hi");
    expect((await client.response()).body.toString()).toBe("");
    expect(backend.requests.map(({ line }) => line)).toEqual(["POST / HTTP/1.1", "POST / HTTP/1.1", "GET / HTTP/1.1"]);
  });

  test("Connection: close is honoured, and what follows is not answered", async () => {
    await using backend = ScriptedBackend.open(echoTarget);
    await using gateway = GatewayFixture.open({ to: [backend] });
    const client = await gateway.ask(request({ headers: { Connection: "close" } }) + request({ target: "/next" }));
    expect(header(await client.response(), "connection")).toBe("close");
    expect([client.text, backend.requests.length]).toEqual(["", 1]);
  });

  for (const [says, filter, status] of [
    ["respond", { respond: { status: 200, body: "hi" } }, 200],
    ["a refusal", { ip: { deny: ["127.0.0.0/8"] } }, 403],
  ] as const) {
    for (const [form, lengths, body] of [
      ["a length", { "Content-Length": "5" }, "hello"],
      ["chunks", { "Transfer-Encoding": "chunked" }, "5\r\nhello\r\n0\r\n\r\n"],
    ] as const) {
      const post = (rest: string = body): string => request({ method: "POST", headers: lengths }, rest);
      test(`a body with ${form} that ${says} does not want is read over, and the next request is answered`, async () => {
        await using gateway = GatewayFixture.open({ route: { filters: [filter] } });
        await using client = await gateway.connect();
        client.write(post() + post());
        for (let round = 0; round < 2; round++) {
          const response = await client.response();
          expect([response.status, header(response, "connection")]).toEqual([status, undefined]);
        }
        expect(client.hasEnded).toBe(false);
      });

      test(`a body with ${form} that has not come whole, and that ${says} does not want, ends the connection`, async () => {
        await using gateway = GatewayFixture.open({ route: { filters: [filter] } });
        const client = await gateway.ask(post(body.slice(0, 4)));
        const response = await client.response();
        expect([response.status, header(response, "connection"), client.text]).toEqual([status, "close", ""]);
      });
    }
  }

  test("a connection that asks for nothing more is closed after its time", async () => {
    await using backend = ScriptedBackend.open(friendly);
    await using gateway = GatewayFixture.open({ to: [backend], listener: { timeouts: { keepAlive: "100ms" } } });
    await using client = await gateway.connect();
    client.write(request());
    await client.response();
    expect(await client.untilEnd()).toBe("");
  });
});

describe("HTTP: a client that ends its direction after its request still reads the answer", () => {
  const answers: readonly (readonly [says: string, parts: readonly string[]])[] = [
    ["with a length", ["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none", "two"]],
    ["in chunks", ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n", "3\r\ntwo\r\n0\r\n\r\n"]],
  ];
  for (const [says, parts] of answers) {
    for (const when of ["before its head", "in the middle of it"] as const) {
      test(`an answer ${says} arrives whole if the end comes ${when}`, async () => {
        const { promise: released, resolve: release } = Promise.withResolvers<void>();
        await using backend = ScriptedBackend.open(async (connection) => {
          await connection.request();
          if (when === "in the middle of it") connection.write(parts[0] ?? "");
          await released;
          connection.write(when === "in the middle of it" ? (parts[1] ?? "") : parts.join(""));
        });
        await using gateway = GatewayFixture.open({ to: [backend] });
        await using client = await gateway.connect();
        client.write(request());
        if (when === "in the middle of it") await client.until("one");
        client.end();
        await until(() => backend.requests.length === 1);
        // A second connection is served after the end was read, because both are read in order.
        await gateway.ask("x\r\n\r\n");
        release();
        const response = await client.response();
        expect([response.body.toString(), response.isComplete]).toEqual(["onetwo", true]);
        await client.untilEnd();
      });
    }
  }

  test("requests that were pipelined before the end are all answered", async () => {
    await using backend = ScriptedBackend.open(echoTarget);
    await using gateway = GatewayFixture.open({ to: [backend] });
    const client = await gateway.connect();
    client.write(["/a", "/b", "/c"].map((target) => request({ target })).join("")).end();
    for (const target of ["/a", "/b", "/c"]) expect((await client.response()).body.toString()).toBe(target);
    await client.untilEnd();
  });

  test("a client that ended its direction and gets nothing for a while counts as gone", async () => {
    const wheel = new TimerWheel({ clock: "simulated" });
    await using backend = ScriptedBackend.open(silent);
    await using gateway = GatewayFixture.open({ to: [backend], wheel });
    await using client = await gateway.connect();
    client.write(request()).end();
    const connection = await backend.connection();
    await connection.until(() => connection.count > 0);
    await gateway.ask("x\r\n\r\n");
    wheel.advance(20_000);
    await connection.until(() => connection.hasEnded);
    expect((await gateway.record(2)).error).toBe("client_gone");
  });
});

describe("HTTP: a client that goes", () => {
  for (const when of ["before the answer", "in the middle of the answer"] as const) {
    for (const make of [request, handshake]) {
      if (make === handshake && when === "in the middle of the answer") continue;
      test(`${when} takes the upstream's ${make.name} with it`, async () => {
        await using backend = ScriptedBackend.open(async (connection) => {
          await connection.request();
          if (when === "before the answer") return;
          connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc");
        });
        await using gateway = GatewayFixture.open({ to: [backend] });
        const client = await gateway.connect();
        client.write(make());
        if (when === "before the answer") await until(() => backend.requests.length === 1);
        else await client.until("abc");
        client.reset();
        const connection = await backend.connection();
        await connection.until(() => connection.hasEnded);
        expect((await gateway.record()).error).toBe("client_gone");
      });
    }
  }
});

describe("HTTP: connections to upstreams", () => {
  test("are used again, by other clients too, and kept up to the pool's limit", async () => {
    await using backend = ScriptedBackend.open(echoTarget);
    await using gateway = GatewayFixture.open({ to: [backend], upstream: { pool: { idle: 1 } } });
    for (let round = 0; round < 3; round++) {
      await using client = await gateway.connect();
      client.write(request());
      await client.response();
    }
    expect(backend.connections.length).toBe(1);
    const clients = await Promise.all([1, 2, 3].map(() => gateway.connect()));
    for (const client of clients) client.write(request());
    for (const client of clients) await client.response();
    await until(() => backend.connections.filter((connection) => !connection.hasEnded).length === 1);
  });

  test("are not used again after Connection: close, HTTP/1.0, or bytes that nobody asked for", async () => {
    const endings = [
      okAnswer("ok", "Connection: close\r\n"),
      "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
      `${okAnswer("ok")}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`,
    ];
    for (const answer of endings) {
      await using backend = ScriptedBackend.open(answering(answer));
      await using gateway = GatewayFixture.open({ to: [backend] });
      await using client = await gateway.connect();
      client.write(request().repeat(3));
      for (let round = 0; round < 3; round++) expect((await client.response()).body.toString()).toBe("ok");
      expect(backend.connections.length).toBe(3);
    }
  });

  test("are let go when the upstream closes them", async () => {
    await using backend = ScriptedBackend.open(async (connection) => {
      await connection.request();
      connection.write(okAnswer("ok")).end();
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    for (let round = 0; round < 3; round++) {
      client.write(request({ method: "POST", headers: { "Content-Length": "0" } }));
      expect((await client.response()).status).toBe(200);
      await until(() => gateway.gateway.status().upstreams[0]?.endpoints[0]?.idleConnections === 0);
    }
  });
});

describe("HTTP: a kept connection that dies as it is used", () => {
  /** Answers one request of each connection, and dies of the second, the first connection only. */
  const dying: Script = async (connection) => {
    await connection.request();
    connection.write(okAnswer("ok"));
    await connection.request();
    connection.reset();
  };

  for (const [method, headers, body, status] of [
    ["GET", {}, "", 200],
    ["HEAD", {}, "", 200],
    ["PUT", { "Content-Length": "0" }, "", 200],
    ["DELETE", {}, "", 200],
    ["POST", { "Content-Length": "0" }, "", 502],
    ["POST", { "Content-Length": "2" }, "hi", 502],
    ["PATCH", { "Content-Length": "0" }, "", 502],
  ] as const) {
    test(`a ${method} of ${body.length} bytes is ${status === 200 ? "repeated on a new one" : "not repeated"}`, async () => {
      await using backend = ScriptedBackend.open(dying);
      await using gateway = GatewayFixture.open({ to: [backend] });
      await using client = await gateway.connect();
      client.write(request());
      await client.response();
      client.write(request({ method, headers, target: "/second" }, body));
      expect((await client.response(method)).status).toBe(status);
      const seen = backend.requests.filter(({ line }) => line.includes("/second")).length;
      expect([seen, (await gateway.record(2)).tries]).toEqual(status === 200 ? [2, 2] : [1, 1]);
    });
  }

  test("a GET whose answer had begun is not repeated", async () => {
    await using backend = ScriptedBackend.open(async (connection) => {
      await connection.request();
      connection.write(okAnswer("ok"));
      await connection.request();
      connection.write("HTTP/1.1 2").end();
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(request().repeat(2));
    await client.response();
    expect(errorCode(await client.response())).toBe("upstream_lost");
    expect(backend.connections.length).toBe(1);
  });

  test("a fresh connection that dies is not tried again", async () => {
    await using backend = ScriptedBackend.open(async (connection) => {
      await connection.request();
      connection.reset();
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(request());
    expect(errorCode(await client.response())).toBe("upstream_lost");
    expect(backend.connections.length).toBe(1);
  });
});

describe("HTTP: an upstream whose body is bad from its first byte on", () => {
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const body of ["x\r\n", "-1\r\n", "5;\0\r\n", "0\r\nX : a\r\n\r\n", "\r\n"]) {
    test(`the client sees the head and that something is missing: ${JSON.stringify(body)}`, async () => {
      await using backend = ScriptedBackend.open(answering(head + body));
      await using gateway = GatewayFixture.open({ to: [backend] });
      const client = await gateway.ask(request());
      const response = await client.response();
      expect([response.status, response.isComplete, response.body.toString()]).toEqual([200, false, ""]);
      expect((await gateway.record()).error).toBe("upstream_invalid");
    });
  }
});

describe("HTTP: an upstream that dies in the middle of its answer", () => {
  const starts: readonly (readonly [says: string, head: string, how: "end" | "reset"])[] = [
    ["with a length, by an end", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "end"],
    ["with a length, by a reset", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "reset"],
    ["in chunks, by an end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "end"],
    ["in chunks, by a reset", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "reset"],
    ["in a chunk, by an end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "end"],
    [
      "before its last line, by an end",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
      "end",
    ],
    ["in a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n", "end"],
    ["in bad trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX : a\r\n\r\n", "end"],
    ["without a length, by a reset", "HTTP/1.1 200 OK\r\n\r\nabc", "reset"],
  ];
  for (const [says, bytes, how] of starts) {
    test(`${says}: the client sees that something is missing`, async () => {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      await using backend = ScriptedBackend.open(async (connection) => {
        await connection.request();
        connection.write(bytes);
        await released;
        if (how === "end") connection.end();
        else connection.reset();
      });
      await using gateway = GatewayFixture.open({ to: [backend] });
      await using client = await gateway.connect();
      client.write(request());
      await client.until("abc");
      release();
      const response = await client.response();
      expect([response.status, response.isComplete, response.body.toString()]).toEqual([200, false, "abc"]);
      expect((await gateway.record()).error).toMatch(/^upstream_/);
    });
  }
});
