import type { Page } from "playwright-core";
import type { TestBrowser } from "./browser.ts";

/** Opens the chat as somebody new, under a name. */
export async function enterChat(browser: TestBrowser, url: string, name: string): Promise<Page> {
  const page = await browser.newUser(url);
  await page.waitForSelector("#status[data-state=good]");
  await page.fill("#name", name);
  await page.locator("#name-form button").click();
  await page.waitForSelector("#text:enabled");
  return page;
}

/** Says something under the name of the page's user. */
export async function say(page: Page, text: string): Promise<void> {
  await page.fill("#text", text);
  await page.locator("#text-form button").click();
}

/** What the page shows of the instance that it is connected to. */
export async function instance(page: Page): Promise<string> {
  return (await page.locator("#instance").textContent()) ?? "";
}

/** What the page shows of a message once it is there: who, and what. */
export async function shown(page: Page, text: string): Promise<string> {
  const line = page.locator("#log li", { hasText: text });
  await line.waitFor();
  return `${await line.locator(".who").textContent()}: ${await line.locator(".said").textContent()}`;
}
