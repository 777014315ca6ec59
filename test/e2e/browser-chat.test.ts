import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { serveChat } from "../../examples/chat/app.ts";
import type { RunningExample } from "../../examples/shared/example.ts";
import { hasChromium, TestBrowser } from "../support/browser.ts";
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

/** Opens the chat as somebody new, under a name. */
async function enter(url: string, name: string): Promise<Page> {
  const page = await browser.newUser(url);
  await page.waitForSelector("#status[data-state=good]");
  await page.fill("#name", name);
  await page.locator("#name-form button").click();
  await page.waitForSelector("#text:enabled");
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.fill("#text", text);
  await page.locator("#text-form button").click();
}

async function instance(page: Page): Promise<string> {
  return (await page.locator("#instance").textContent()) ?? "";
}

/** What the page shows of a message once it is there: who, and what. */
async function shown(page: Page, text: string): Promise<string> {
  const line = page.locator("#log li", { hasText: text });
  await line.waitFor();
  return `${await line.locator(".who").textContent()}: ${await line.locator(".said").textContent()}`;
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
      const [anna, ben] = await Promise.all([enter(site.url, "Anna"), enter(site.url, "Ben")]);
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
      const [anna, ben] = await Promise.all([enter(site.url, "Anna"), enter(site.url, "Ben")]);
      await until(async () => (await Promise.all([anna, ben].map(instance))).every((text) => text.includes("shared")));
      const [here, there] = await Promise.all([instance(anna), instance(ben)]);
      expect([here, there].map((text) => /first|second/.exec(text)?.[0]).sort()).toEqual(["first", "second"]);
      await talk(anna, ben);
    },
    PATIENCE_MS,
  );
});
