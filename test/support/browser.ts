import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { requires } from "./requires.ts";

/** Where Debian's package puts the browser. */
const program = "/usr/bin/chromium";
const options = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Names ending in .test are this machine, so that pages of several origins can be served without a name server.
  "--host-resolver-rules=MAP *.test 127.0.0.1",
];

/** What a page's `close` event said, and what came before it; times in milliseconds. */
export type PageClose = {
  readonly opened: boolean;
  readonly failed: boolean;
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  readonly protocol: string;
};

/** Whether Chromium is here; if not, one line says so. */
export function hasChromium(): boolean {
  return requires("chromium", "chromium");
}

/** Chromium with a new profile. */
export class TestBrowser implements AsyncDisposable {
  readonly #newContext: () => Promise<BrowserContext>;
  readonly #close: () => Promise<void>;

  private constructor(newContext: () => Promise<BrowserContext>, close: () => Promise<void>) {
    this.#newContext = newContext;
    this.#close = close;
  }

  /** A browser for many users, who share nothing, as if they were different people. */
  static async open(more: readonly string[] = []): Promise<TestBrowser> {
    const browser = await chromium.launch({ executablePath: program, args: [...options, ...more] });
    return new TestBrowser(
      () => browser.newContext(),
      () => browser.close(),
    );
  }

  /** A browser that sends cookies to other sites, as most did by default for thirty years; it has one user at a time. */
  static async openTrusting(): Promise<TestBrowser> {
    const folder = mkdtempSync(join(tmpdir(), "causeway-browser-"));
    mkdirSync(join(folder, "Default"));
    const preferences = { profile: { cookie_controls_mode: 0, block_third_party_cookies: false } };
    writeFileSync(join(folder, "Default", "Preferences"), JSON.stringify(preferences));
    const context = await chromium.launchPersistentContext(folder, { executablePath: program, args: options });
    const newContext = async (): Promise<BrowserContext> => {
      await context.clearCookies();
      return context;
    };
    return new TestBrowser(newContext, async () => {
      await context.close();
      rmSync(folder, { recursive: true, force: true });
    });
  }

  /** A page of a user whom the browser has not seen before. */
  async newUser(url: string): Promise<Page> {
    const context = await this.#newContext();
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}

/** Opens a WebSocket in a page, sends nothing, and resolves with its end. */
export function closeInPage(page: Page, url: string, protocols: readonly string[] = []): Promise<PageClose> {
  return page.evaluate(
    ([url, protocols]) =>
      new Promise<PageClose>((resolve) => {
        const socket = new WebSocket(url, [...protocols]);
        let [opened, failed] = [false, false];
        socket.onopen = () => {
          opened = true;
        };
        socket.onerror = () => {
          failed = true;
        };
        socket.onclose = ({ code, reason, wasClean }) =>
          resolve({ opened, failed, code, reason, wasClean, protocol: socket.protocol });
      }),
    [url, protocols] as const,
  );
}
