import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { hasChromium, TestBrowser } from "../support/browser.ts";
import { enterChat, instance, say, shown } from "../support/chat-page.ts";
import { ExampleProcess } from "../support/example-process.ts";
import { RedisServer } from "../support/redis-server.ts";
import { requires } from "../support/requires.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";

const PATIENCE_MS = 40_000;
const isPossible = hasChromium() && requires("redis-server", "redis-server");

let browser: TestBrowser;
beforeAll(async () => {
  if (isPossible) browser = await TestBrowser.open();
}, PATIENCE_MS);
afterAll(async () => browser?.[Symbol.asyncDispose]());

type User = { readonly name: string; readonly page: Page; reconnects: number };

async function enter(url: string, name: string): Promise<User> {
  const user: User = { name, page: await enterChat(browser, url, name), reconnects: 0 };
  user.page.on("websocket", () => {
    user.reconnects++;
  });
  return user;
}

/** Each says something that both read. */
async function talk(users: readonly User[], about: string): Promise<void> {
  for (const { page, name } of users) {
    await say(page, `${name} on ${about}`);
    for (const reader of users)
      expect(await shown(reader.page, `${name} on ${about}`)).toBe(`${name}: ${name} on ${about}`);
  }
}

/** Waits until the user is on the instance of this name, which hears of the other ones. */
async function untilOn({ page }: User, name: string): Promise<void> {
  await page.waitForSelector("#status[data-state=good]");
  await until(async () => (await instance(page)) === `you are on ${name}, shared through Redis`, 10_000);
}

async function untilStates(gateway: RunningGateway, states: readonly string[]): Promise<void> {
  await until(async () => {
    const { body } = await gateway.admin("/api/upstreams");
    const [upstream] = body.items as [{ endpoints: { state: string }[] }];
    return upstream.endpoints.every(({ state }, at) => state === states[at]);
  }, 15_000);
}

test.skipIf(!isPossible)(
  "two users go on after one reconnect when an instance of the chat is killed in the middle of their conversation",
  async () => {
    await using redis = await RedisServer.open();
    const start = (name: string, port = 0) =>
      ExampleProcess.open("chat", { port, environment: { CHAT_NAME: name, REDIS_URL: redis.url } });
    await using first = await start("first");
    await using second = await start("second");
    await using gateway = await RunningGateway.open(`
admin: { address: "127.0.0.1:0" }
log: { format: json }
listeners: { web: { address: "127.0.0.1:0" } }
upstreams:
  chat: { endpoints: [ "${first.address}", "${second.address}" ], health: { type: http, path: /healthz } }
routes: { chat: { match: { path: /chat }, filters: [ rewrite: { prefix: / } ], to: chat } }
`);
    await untilStates(gateway, ["healthy", "healthy"]);
    const users = [await enter(`${gateway.url}/chat/`, "Anna"), await enter(`${gateway.url}/chat/`, "Ben")] as const;
    const at = await Promise.all(users.map(({ page }) => instance(page)));
    const [lost, kept] = at[0]?.includes("first") === true ? users : users.toReversed();
    if (lost === undefined || kept === undefined) throw new Error("there are two");
    await Promise.all([untilOn(lost, "first"), untilOn(kept, "second")]);
    await talk(users, "two instances");

    await first.kill();
    await untilOn(lost, "second");
    await talk(users, "the one that is left");
    expect([lost.reconnects, kept.reconnects]).toEqual([1, 0]);

    await untilStates(gateway, ["unhealthy", "healthy"]);
    await using _again = await start("first again", Number(first.address.split(":")[1]));
    await untilStates(gateway, ["healthy", "healthy"]);
    await second.kill();
    await Promise.all(users.map((user) => untilOn(user, "first again")));
    await talk(users, "the one that came back");
    expect([lost.reconnects, kept.reconnects]).toEqual([2, 1]);
  },
  PATIENCE_MS,
);
