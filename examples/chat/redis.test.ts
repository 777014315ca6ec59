import { afterEach, describe, expect, test } from "bun:test";
import { JsonSocket } from "../../test/support/json-socket.ts";
import { RedisServer } from "../../test/support/redis-server.ts";
import { requires } from "../../test/support/requires.ts";
import type { RunningExample } from "../shared/example.ts";
import { serveChat } from "./app.ts";

const hasRedis = requires("redis-server", "redis-server");
const running: RunningExample[] = [];
afterEach(() => {
  for (const app of running.splice(0)) app.stop();
});

function instance(name: string, redisUrl: string): RunningExample {
  const app = serveChat({ host: "127.0.0.1", port: 0 }, { CHAT_NAME: name, REDIS_URL: redisUrl });
  running.push(app);
  return app;
}

async function guest(app: RunningExample, name: string): Promise<JsonSocket> {
  const socket = await JsonSocket.open(`${app.url}ws`);
  socket.send({ type: "name", name });
  await socket.got({ type: "you" });
  return socket;
}

async function sharing(socket: JsonSocket): Promise<void> {
  const welcome = await socket.got({ type: "welcome" });
  if (welcome.sharing !== "redis") await socket.got({ type: "sharing", sharing: "redis" });
}

describe.skipIf(!hasRedis)("with Redis", () => {
  test("a message on one instance is seen once on each", async () => {
    await using redis = await RedisServer.open();
    await using ada = await guest(instance("chat-1", redis.url), "Ada");
    await using grace = await guest(instance("chat-2", redis.url), "Grace");
    await Promise.all([sharing(ada), sharing(grace)]);
    ada.send({ type: "say", text: "from the first" });
    await grace.got({ type: "line", line: { name: "Ada", text: "from the first", instance: "chat-1" } });
    grace.send({ type: "say", text: "from the second" });
    await ada.got({ type: "line", line: { name: "Grace", text: "from the second", instance: "chat-2" } });
    for (const socket of [ada, grace]) expect(JSON.stringify(socket.messages).split("from the first")).toHaveLength(2);
  });

  test("when Redis goes the room says so and goes on, and it shares again when Redis is back", async () => {
    await using redis = await RedisServer.open();
    const first = instance("chat-1", redis.url);
    await using ada = await guest(first, "Ada");
    await using bob = await guest(first, "Bob");
    await using grace = await guest(instance("chat-2", redis.url), "Grace");
    await Promise.all([sharing(ada), sharing(grace)]);

    await redis.kill();
    for (const socket of [ada, grace]) await socket.got({ type: "sharing", sharing: "redis-lost" });
    await ada.got({
      type: "line",
      line: { kind: "notice", text: "Redis is gone: messages stay on this instance until it is back" },
    });
    ada.send({ type: "say", text: "only here" });
    await bob.got({ type: "line", line: { text: "only here" } });

    const seen = [ada, grace].map((socket) => socket.messages.length);
    await redis.start();
    for (const [index, socket] of [ada, grace].entries()) {
      socket.messages.splice(0, seen[index]);
      await socket.got({ type: "sharing", sharing: "redis" });
    }
    ada.send({ type: "say", text: "together again" });
    await grace.got({ type: "line", line: { name: "Ada", text: "together again" } });
    expect(JSON.stringify(grace.messages)).not.toContain("only here");
  }, 20_000);
});

test("without an answering Redis the chat serves alone and says so", async () => {
  const app = instance("chat-1", "redis://127.0.0.1:1");
  await using ada = await guest(app, "Ada");
  await ada.got({ type: "welcome", sharing: "redis-lost" });
  ada.send({ type: "say", text: "hello" });
  await ada.got({ type: "line", line: { text: "hello" } });
});
