import { describe, expect, test } from "bun:test";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { errorCode, header } from "../support/http-message.ts";
import { answering, friendly, okAnswer, type Script, ScriptedBackend, silent } from "../support/scripted-backend.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";

goWithoutBridge();

const post = (headers: Record<string, string>, body: string): string => request({ method: "POST", headers }, body);

/** A script: one answer to one request, and then the end of the connection. */
const once =
  (answer: string): Script =>
  async (connection) => {
    await connection.request();
    connection.write(answer).end();
  };

describe("HTTP: answers", () => {
  test("an answer to HEAD keeps the length of what a GET would have got, and has no content", async () => {
    await using backend = ScriptedBackend.open(answering("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"));
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(request({ method: "HEAD" }).repeat(2));
    for (let round = 0; round < 2; round++) {
      expect(header(await client.response("HEAD"), "content-length")).toBe("1000");
    }
    expect(backend.connections.length).toBe(1);
  });

  for (const status of ["204 No Content", "304 Not Modified"]) {
    test(`a ${status} has no content, and the connection goes on`, async () => {
      await using backend = ScriptedBackend.open(answering(`HTTP/1.1 ${status}\r\nETag: "a"\r\n\r\n`));
      await using gateway = GatewayFixture.open({ to: [backend] });
      await using client = await gateway.connect();
      client.write(request().repeat(2));
      for (let round = 0; round < 2; round++) {
        const response = await client.response();
        expect([response.line, header(response, "etag")]).toEqual([`HTTP/1.1 ${status}`, '"a"']);
        expect(response.head).not.toMatch(/^(?:content-length|transfer-encoding|connection):/im);
      }
      expect(client.text).toBe("");
    });
  }

  test("a chunked answer arrives chunked, with its trailers", async () => {
    const body = "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\nX-More: 6\r\nContent-Length: 9\r\n\r\n";
    await using backend = ScriptedBackend.open(
      answering(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`),
    );
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(request());
    const response = await client.response();
    expect([response.body.toString(), response.isComplete]).toEqual(["abcde", true]);
    expect(response.trailers).toEqual([
      ["X-Sum", "5"],
      ["X-More", "6"],
    ]);
  });

  test("an HTTP/1.0 client gets a chunked answer until the end of the connection", async () => {
    await using backend = ScriptedBackend.open(
      answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    );
    await using gateway = GatewayFixture.open({ to: [backend] });
    const client = await gateway.ask(request({ version: "HTTP/1.0" }));
    const response = await client.response();
    expect([response.body.toString(), header(response, "connection")]).toEqual(["abc", "close"]);
    expect(header(response, "transfer-encoding")).toBeUndefined();
  });

  test("an HTTP/1.0 client can keep its connection, and needs no Host", async () => {
    await using backend = ScriptedBackend.open(answering(okAnswer("ok")));
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n");
    expect(header(await client.response(), "connection")).toBe("keep-alive");
    expect(header(await client.response(), "connection")).toBe("close");
    await client.untilEnd();
    const [seen] = backend.requests;
    expect(seen && [seen.line, header(seen, "host")]).toEqual(["GET /a HTTP/1.1", `127.0.0.1:${backend.port}`]);
    expect(seen && header(seen, "x-forwarded-host")).toBeUndefined();
  });

  test("an answer that the upstream ends by closing arrives whole, and the client's connection goes on", async () => {
    await using backend = ScriptedBackend.open(once("HTTP/1.1 200 OK\r\n\r\nabc"));
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(request().repeat(2));
    for (let round = 0; round < 2; round++) {
      const response = await client.response();
      expect([response.body.toString(), response.isComplete]).toEqual(["abc", true]);
      expect(header(response, "transfer-encoding")).toBe("chunked");
    }
  });

  test("events arrive at once, each before the next one is sent", async () => {
    const { promise: first, resolve: release } = Promise.withResolvers<void>();
    await using backend = ScriptedBackend.open(async (connection) => {
      await connection.request();
      connection.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
      connection.write("data: one\n\n");
      await first;
      connection.write("data: two\n\n").end();
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(request());
    await client.until("data: one\n\n");
    expect(client.text).not.toContain("two");
    release();
    expect((await client.response()).body.toString()).toBe("data: one\n\ndata: two\n\n");
  });

  test("the head of an answer does not wait for its body", async () => {
    await using backend = ScriptedBackend.open(async (connection) => {
      await connection.request();
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(request());
    await client.until("\r\n\r\n");
  });
});

describe("HTTP: 1xx", () => {
  test("Expect goes on to the upstream, and its 100 comes back before the body is sent", async () => {
    await using backend = ScriptedBackend.open(async (connection) => {
      await connection.until(() => connection.text.includes("\r\n\r\n"));
      expect(connection.text).toContain("Expect: 100-continue\r\n");
      connection.write("HTTP/1.1 100 Continue\r\n\r\n");
      const { body } = await connection.request();
      connection.write(okAnswer(body.toString()));
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(post({ Expect: "100-continue", "Content-Length": "5" }, ""));
    expect((await client.response()).line).toBe("HTTP/1.1 100 Continue");
    expect((await backend.connection()).text).not.toContain("hello");
    client.write("hello");
    expect((await client.response()).body.toString()).toBe("hello");
  });

  test("an upstream that does not want the body says so at once", async () => {
    await using backend = ScriptedBackend.open(async (connection) => {
      await connection.until(() => connection.text.includes("\r\n\r\n"));
      connection.write("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    const client = await gateway.ask(post({ Expect: "100-continue", "Content-Length": "5" }, ""));
    const response = await client.response();
    // Nobody knows whether the client sends the body all the same, so the connection ends.
    expect([response.status, response.body.toString(), header(response, "connection")]).toEqual([417, "no", "close"]);
  });

  test("early hints come before the answer, without the upstream's own connection headers", async () => {
    const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: close\r\n\r\n";
    await using backend = ScriptedBackend.open(answering(`${hints}${hints}${okAnswer("ok")}`));
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(request());
    for (let round = 0; round < 2; round++) {
      const response = await client.response();
      expect([response.line, response.headers]).toEqual([
        "HTTP/1.1 103 Early Hints",
        [["Link", "</a.css>; rel=preload"]],
      ]);
    }
    expect((await client.response()).body.toString()).toBe("ok");
  });

  test("an HTTP/1.0 client gets no 1xx", async () => {
    await using backend = ScriptedBackend.open(answering(`HTTP/1.1 100 Continue\r\n\r\n${okAnswer("ok")}`));
    await using gateway = GatewayFixture.open({ to: [backend] });
    const client = await gateway.ask(request({ version: "HTTP/1.0" }));
    expect((await client.response()).status).toBe(200);
  });
});

describe("HTTP: requests with a body", () => {
  for (const [says, headers, body] of [
    ["with a length", { "Content-Length": "5" }, "hello"],
    ["in chunks", { "Transfer-Encoding": "chunked" }, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"],
    ["in chunks with trailers", { "Transfer-Encoding": "chunked" }, "5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n"],
  ] as const) {
    test(`a body ${says} arrives as it was sent, in one piece or byte by byte`, async () => {
      await using backend = ScriptedBackend.open(answering((request) => okAnswer(request.body.toString())));
      await using gateway = GatewayFixture.open({ to: [backend] });
      await using client = await gateway.connect();
      const bytes = post(headers, body);
      client.write(bytes);
      expect((await client.response()).body.toString()).toBe("hello");
      for (const byte of bytes) {
        client.write(byte);
        await client.untilWritten();
      }
      expect((await client.response()).body.toString()).toBe("hello");
      expect(backend.requests[0]?.trailers).toEqual(says.endsWith("trailers") ? [["X-Sum", "5"]] : []);
    });
  }

  test("the body streams: its first part reaches the upstream before the second is sent", async () => {
    await using backend = ScriptedBackend.open(friendly);
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(post({ "Content-Length": "6" }, "one"));
    const connection = await backend.connection();
    await connection.until(() => connection.text.endsWith("one"));
    client.write("two");
    expect((await client.response()).status).toBe(200);
  });

  test("a client that leaves in the middle of its body takes the upstream request with it", async () => {
    await using backend = ScriptedBackend.open(silent);
    await using gateway = GatewayFixture.open({ to: [backend] });
    const client = await gateway.connect();
    client.write(post({ "Content-Length": "6" }, "one")).end();
    const connection = await backend.connection();
    await connection.until(() => connection.hasEnded);
    expect((await gateway.record()).error).toBe("client_gone");
  });
});

describe("HTTP: upstreams that do not speak it", () => {
  const heads: readonly (readonly [says: string, bytes: string])[] = [
    ["no status line", "hello\r\n\r\n"],
    ["another protocol", "SSH-2.0-x\r\n\r\n"],
    ["HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
    ["status 099", "HTTP/1.1 099 OK\r\n\r\n"],
    ["a NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n"],
    ["a bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"],
    ["a header with a NUL", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"],
    ["a header with a bare CR", "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n"],
    ["a folded header", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"],
    ["a space before the colon", "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n"],
    ["both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"],
    ["a length that is no number", "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nabcde"],
    ["an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
    ["a head of 300 KB", `HTTP/1.1 200 OK\r\n${`X-A: ${"a".repeat(1000)}\r\n`.repeat(300)}\r\n`],
    ["1xx without end", "HTTP/1.1 102 Processing\r\n\r\n".repeat(100)],
  ];
  for (const [says, bytes] of heads) {
    test(`an answer with ${says} becomes 502, for a GET and for a handshake`, async () => {
      await using backend = ScriptedBackend.open(once(bytes));
      await using gateway = GatewayFixture.open({ to: [backend] });
      for (const make of [request, handshake]) {
        await using client = await gateway.connect();
        client.write(make());
        let response = await client.response();
        while (response.status < 200) response = await client.response();
        expect([response.status, errorCode(response)]).toEqual([502, "upstream_invalid"]);
        expect(response.head).not.toContain("evil");
      }
    });
  }

  for (const length of ["5, 5", "x", "-1"]) {
    test(`an answer to HEAD with Content-Length "${length}" becomes 502`, async () => {
      await using backend = ScriptedBackend.open(once(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`));
      await using gateway = GatewayFixture.open({ to: [backend] });
      await using client = await gateway.connect();
      client.write(request({ method: "HEAD" }));
      expect((await client.response("HEAD")).status).toBe(502);
    });
  }

  test("an upstream that says nothing and goes becomes 502", async () => {
    await using backend = ScriptedBackend.open(once(""));
    await using gateway = GatewayFixture.open({ to: [backend] });
    for (const make of [request, handshake]) {
      await using client = await gateway.connect();
      client.write(make());
      const response = await client.response();
      expect([response.status, errorCode(response)]).toEqual([502, "upstream_lost"]);
    }
  });
});
