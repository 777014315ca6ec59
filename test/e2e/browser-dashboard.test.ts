import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { serveDashboard } from "../../examples/dashboard/app.ts";
import type { RunningExample } from "../../examples/shared/example.ts";
import { hasChromium, TestBrowser } from "../support/browser.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { siteYaml } from "../support/site-yaml.ts";

const PATIENCE_MS = 20_000;

type Bar = { readonly id: number; readonly value: string };

/** Begins to look, in every page, for the moment (Unix ms) at which a bar shows a value; what it returns resolves to these moments. */
async function watchBar(pages: readonly Page[], bar: Bar): Promise<() => Promise<number[]>> {
  // Nothing may be sent before all of them look: a page that is busy looks late, and would seem to show late.
  const looks = await Promise.all(pages.map((page) => page.evaluateHandle(lookFor, bar)));
  return () => Promise.all(looks.map((look) => look.evaluate(({ shownAt }) => shownAt)));
}

function lookFor({ id, value }: Bar): { readonly shownAt: Promise<number> } {
  const element = document.querySelectorAll("#bars .value")[id - 1];
  const shownAt = new Promise<number>((resolve) => {
    const look = () => element?.textContent === value && resolve(performance.timeOrigin + performance.now());
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    look();
  });
  return { shownAt };
}

async function values(page: Page): Promise<string[]> {
  return page.locator("#bars .value").allTextContents();
}

describe.skipIf(!hasChromium())("the dashboard through the gateway, in Chromium", () => {
  let app: RunningExample;
  let gateway: RunningGateway;
  let browser: TestBrowser;
  let pages: readonly Page[];
  let url: string;
  beforeAll(async () => {
    app = serveDashboard({ host: "127.0.0.1", port: 0 });
    const upstreams = { dashboard: [`127.0.0.1:${app.port}`] };
    [gateway, browser] = await Promise.all([RunningGateway.open(siteYaml({ upstreams })), TestBrowser.open()]);
    url = `${gateway.url}/dashboard/`;
    pages = await Promise.all([1, 2, 3, 4].map(() => browser.newUser(url)));
    await Promise.all(pages.map((page) => page.waitForSelector("#status[data-state=good]")));
  }, PATIENCE_MS);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await gateway?.[Symbol.asyncDispose]();
    app?.stop();
  });

  test("four browsers show one REST update at once", async () => {
    const value = "301";
    const shown = await watchBar(pages, { id: 8, value });
    const sentAt = performance.timeOrigin + performance.now();
    const answer = await fetch(`${url}api?id=8&value=${value}`);
    expect(await answer.json()).toEqual({ id: 8, value: 301, browsers: 4 });
    for (const at of await shown()) expect(at - sentAt).toBeLessThan(1000);
    for (const page of pages) expect((await values(page))[7]).toBe(value);
  });

  test("the command that the page shows does what it says", async () => {
    const shown = await pages[0]?.locator("#curl").textContent();
    expect(shown).toBe(`curl "${url}api?id=8&value=300"`);
    const seen = await watchBar(pages, { id: 8, value: "300" });
    await fetch(/"(.*)"/.exec(shown ?? "")?.[1] ?? "");
    await seen();
  });

  test.each(["id=0&value=1", "id=9&value=1", "id=8&value=1001", "id=8&value=-1", "id=8&value=1e2", "id=8", ""])(
    "?%s is answered 400 and changes nothing",
    async (query) => {
      const [before = []] = await Promise.all(pages.map(values));
      expect((await fetch(`${url}api?${query}`)).status).toBe(400);
      // Whatever the bad one had changed would have come before this.
      const marker = before[0] === "11" ? "12" : "11";
      const seen = await watchBar(pages, { id: 1, value: marker });
      await fetch(`${url}api?id=1&value=${marker}`);
      await seen();
      for (const page of pages) expect(await values(page)).toEqual([marker, ...before.slice(1)]);
    },
  );
});
