import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { serveChat } from "../../examples/chat/app.ts";
import type { RunningExample } from "../../examples/shared/example.ts";
import { hasChromium, TestBrowser } from "../support/browser.ts";
import { enterChat, instance, say, shown } from "../support/chat-page.ts";
import { RedisServer } from "../support/redis-server.ts";
import { requires } from "../support/requires.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { siteYaml } from "../support/site-yaml.ts";
import { until } from "../support/until.ts";

const PATIENCE_MS = 20_000;
const hasBrowser = hasChromium();
const hasRedis = requires("redis-server", "redis-server");

let browser: TestBrowser;
beforeAll(async () => {
  if (hasBrowser) browser = await TestBrowser.open();
}, PATIENCE_MS);
afterAll(async () => browser?.[Symbol.asyncDispose]());

/** The chat with these instances behind one upstream. */
class ChatSite implements AsyncDisposable {
  readonly url: string;
  readonly #apps: readonly RunningExample[];
  readonly #gateway: RunningGateway;

  private constructor(apps: readonly RunningExample[], gateway: RunningGateway) {
    this.#apps = apps;
    this.#gateway = gateway;
    this.url = `${gateway.url}/chat/`;
  }

  static async open(names: readonly string[], redisUrl = ""): Promise<ChatSite> {
    const listen = { host: "127.0.0.1", port: 0 };
    const apps = names.map((name) => serveChat(listen, { CHAT_NAME: name, REDIS_URL: redisUrl }));
    const upstreams = { chat: apps.map((app) => `127.0.0.1:${app.port}`) };
    return new ChatSite(apps, await RunningGateway.open(siteYaml({ upstreams })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway[Symbol.asyncDispose]();
    for (const app of this.#apps) app.stop();
  }
}

async function talk(anna: Page, ben: Page): Promise<void> {
  await say(anna, "hello Ben, it is Anna");
  for (const page of [anna, ben]) expect(await shown(page, "hello Ben")).toBe("Anna: hello Ben, it is Anna");
  await say(ben, "<b>hello</b> Ännä 😀");
  for (const page of [anna, ben]) expect(await shown(page, "Ännä")).toBe("Ben: <b>hello</b> Ännä 😀");
}

describe.skipIf(!hasBrowser)("the chat through the gateway, in Chromium", () => {
  test(
    "two users of one instance read each other",
    async () => {
      await using site = await ChatSite.open(["alone"]);
      const [anna, ben] = await Promise.all([
        enterChat(browser, site.url, "Anna"),
        enterChat(browser, site.url, "Ben"),
      ]);
      expect(await instance(anna)).toContain("alone");
      await talk(anna, ben);
    },
    PATIENCE_MS,
  );

  test.skipIf(!hasRedis)(
    "two users of different instances read each other through Redis",
    async () => {
      await using redis = await RedisServer.open();
      await using site = await ChatSite.open(["first", "second"], redis.url);
      const [anna, ben] = await Promise.all([
        enterChat(browser, site.url, "Anna"),
        enterChat(browser, site.url, "Ben"),
      ]);
      await until(async () => (await Promise.all([anna, ben].map(instance))).every((text) => text.includes("shared")));
      const [here, there] = await Promise.all([instance(anna), instance(ben)]);
      expect([here, there].map((text) => /first|second/.exec(text)?.[0]).sort()).toEqual(["first", "second"]);
      await talk(anna, ben);
    },
    PATIENCE_MS,
  );
});
