import { describe, expect, test } from "bun:test";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

type Kept = { readonly fixture: GatewayFixture; readonly client: WsPeer };

async function open(apps: readonly WsApp[], resume: object = {}, more: object = {}): Promise<Kept> {
  const fixture = GatewayFixture.open({
    to: apps,
    upstream: { balance: "round-robin" },
    route: { resume, ...more },
  });
  return { fixture, client: await WsPeer.open(fixture.port, { perMessageDeflate: true }) };
}

const texts = (peer: WsPeer | undefined): string[] => (peer?.messages ?? []).map(String);

function resumed(fixture: GatewayFixture, result: string): number {
  const family = fixture.gateway.metrics().find(({ name }) => name === "causeway_upstream_resumptions_total");
  return (family?.values ?? [])
    .filter(({ labels }) => labels.result === result)
    .reduce((sum, { value }) => sum + value, 0);
}

/** The application that has the session, and the others. */
function split(apps: readonly WsApp[]): [WsApp, WsApp[]] {
  const owner = apps.find(({ peers }) => peers.length > 0);
  if (owner === undefined) throw new Error("nobody has the session");
  return [owner, apps.filter((app) => app !== owner)];
}

describe("AC-27.2: a session on a route that resumes", () => {
  test("goes on with another endpoint when its own dies, without losing or doubling a message", async () => {
    await using one = await WsApp.open(echo);
    await using two = await WsApp.open(echo);
    const { fixture, client } = await open([one, two]);
    await using _fixture = fixture;
    for (let number = 0; number < 50; number++) {
      if (number === 20) {
        const [owner] = split([one, two]);
        // Between two messages: what is on its way to an application that dies is lost with it.
        for (const peer of owner.peers) peer.socket.terminate();
        await until(() => one.peers.length + two.peers.length === 2);
      }
      client.send(`m${number}`);
      await until(() => client.messages.length === number + 1);
    }
    expect(texts(client)).toEqual(Array.from({ length: 50 }, (_, number) => `m${number}`));
    expect(client.end).toBeUndefined();
    expect(resumed(fixture, "resumed")).toBe(1);
    const [session] = fixture.gateway.sessions.list({}, 10).items;
    const moved = [one, two].find(({ peers }) => peers.some(({ end }) => end === undefined));
    expect(session?.endpoint).toBe(`127.0.0.1:${moved?.port}`);
    client.socket.close(4001, "enough");
    expect(await client.untilEnd()).toEqual({ code: 4001, reason: "enough" });
    await until(() => fixture.records.at(-1)?.kind === "session-close");
    expect(fixture.records.at(-1)).toMatchObject({ resumptions: 1, endpoint: session?.endpoint });
    const leases = fixture.gateway.status().upstreams[0]?.endpoints.map(({ sessions }) => sessions);
    expect(leases).toEqual([0, 0]);
  });

  test("gives the new endpoint the same handshake, and a header that says what it is", async () => {
    const seen: {
      url: string;
      resumed: string | undefined;
      token: string | undefined;
      extensions: string | undefined;
    }[] = [];
    const apps = await Promise.all(
      [0, 1].map(() =>
        WsApp.open((_, { url = "", headers }) => {
          const { "x-causeway-resumed": times, "x-token": token, "sec-websocket-extensions": extensions } = headers;
          seen.push({ url, resumed: times?.toString(), token: token?.toString(), extensions });
        }),
      ),
    );
    await using fixture = GatewayFixture.open({ to: apps, route: { resume: {} } });
    const headers = { "X-Token": "t", "X-Causeway-Resumed": "7" };
    await WsPeer.open(fixture.port, { path: "/a?b=c", headers, perMessageDeflate: true });
    split(apps)[0].peers[0]?.socket.terminate();
    await until(() => seen.length === 2);
    expect(seen).toEqual([
      { url: "/a?b=c", resumed: undefined, token: "t", extensions: undefined },
      { url: "/a?b=c", resumed: "1", token: "t", extensions: undefined },
    ]);
    for (const app of apps) await app[Symbol.asyncDispose]();
  });

  test("holds what the client sends until there is another endpoint, and waits for one", async () => {
    const one = await WsApp.open(echo);
    const { fixture, client } = await open([one]);
    await using _fixture = fixture;
    const { port } = one;
    await one[Symbol.asyncDispose]();
    await until(() => one.peers[0]?.end !== undefined);
    client.send("held 1");
    client.send("held 2");
    await until(() => fixture.gateway.sessions.list({}, 1).items[0]?.queuedToUpstream !== 0);
    await using again = await WsApp.open(echo, { port });
    await until(() => client.messages.length === 2);
    expect(texts(client)).toEqual(["held 1", "held 2"]);
    expect(again.peers.length).toBe(1);
  });

  test("sends the first messages again where the route says so", async () => {
    const apps = [await WsApp.open(), await WsApp.open()];
    const { fixture, client } = await open(apps, { replay: 2 });
    await using _fixture = fixture;
    for (const text of ["CONNECT", "SUBSCRIBE", "SEND"]) client.send(text);
    const [owner, [other]] = split(apps);
    await until(() => owner.peers[0]?.messages.length === 3);
    owner.peers[0]?.socket.terminate();
    await until(() => other?.peers[0]?.messages.length === 2);
    client.send("more");
    await until(() => other?.peers[0]?.messages.length === 3);
    expect(texts(other?.peers[0])).toEqual(["CONNECT", "SUBSCRIBE", "more"]);
    for (const app of apps) await app[Symbol.asyncDispose]();
  });

  test("ends with 1012 when there is no other endpoint in time", async () => {
    const one = await WsApp.open(echo);
    const { fixture, client } = await open([one], { within: "300ms" });
    await using _fixture = fixture;
    await one[Symbol.asyncDispose]();
    expect((await client.untilEnd()).code).toBe(1012);
    expect(resumed(fixture, "expired")).toBe(1);
    await until(() => fixture.records.at(-1)?.kind === "session-close");
    expect(fixture.records.at(-1)).toMatchObject({ end: { reason: "upstream_lost", sentToClient: 1012 } });
  });

  test("ends with 1012 when the client sends more than is held", async () => {
    const one = await WsApp.open(echo);
    const { fixture, client } = await open([one], { buffer: "1KB" });
    await using _fixture = fixture;
    await one[Symbol.asyncDispose]();
    await until(() => one.peers[0]?.end !== undefined);
    client.send("x".repeat(2000));
    expect((await client.untilEnd()).code).toBe(1012);
    expect(resumed(fixture, "overflow")).toBe(1);
  });

  test("ends with 1012 when a message from the client was cut in two", async () => {
    await using one = await WsApp.open();
    await using two = await WsApp.open();
    const { fixture, client } = await open([one, two]);
    await using _fixture = fixture;
    client.socket.send("half", { fin: false });
    const [owner] = split([one, two]);
    await until(() => (fixture.gateway.sessions.list({}, 1).items[0]?.fromClient.frames ?? 0) > 0);
    owner.peers[0]?.socket.terminate();
    expect((await client.untilEnd()).code).toBe(1012);
    expect(resumed(fixture, "mid_message")).toBe(1);
  });

  test("is closed by the client while another endpoint is looked for", async () => {
    const one = await WsApp.open(echo);
    const { fixture, client } = await open([one]);
    await using _fixture = fixture;
    await one[Symbol.asyncDispose]();
    await until(() => one.peers[0]?.end !== undefined);
    client.socket.close(4002, "bye");
    expect((await client.untilEnd()).code).toBe(4002);
    await until(() => fixture.gateway.sessions.size === 0);
  });

  test("passes on the Close of an application as it is", async () => {
    await using one = await WsApp.open((peer) => peer.socket.close(4003, "no"));
    await using two = await WsApp.open(echo);
    const { fixture, client } = await open([one, two]);
    await using _fixture = fixture;
    if (one.peers.length === 0) client.socket.close(4003, "no");
    expect(await client.untilEnd()).toEqual({ code: 4003, reason: "no" });
    expect(resumed(fixture, "resumed")).toBe(0);
  });

  test("gives up on endpoints that die as soon as they have it", async () => {
    await using one = await WsApp.open((peer) => peer.socket.terminate());
    const { fixture, client } = await open([one]);
    await using _fixture = fixture;
    expect((await client.untilEnd()).code).toBe(1012);
    expect(one.peers.length).toBeLessThan(6);
  });
});

test("a session on any other route ends with its upstream", async () => {
  await using one = await WsApp.open(echo);
  await using two = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({ to: [one, two] });
  const client = await WsPeer.open(fixture.port);
  split([one, two])[0].peers[0]?.socket.terminate();
  expect((await client.untilEnd()).code).toBe(1014);
});
