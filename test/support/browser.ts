import { type Browser, chromium, type Page } from "playwright-core";
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

/** Chromium with a new profile. Pages that are not of one `user` share nothing, as if they were different people. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async open(): Promise<TestBrowser> {
    return new TestBrowser(await chromium.launch({ executablePath: program, args: options }));
  }

  /** A page of a user whom the browser has not seen before. */
  async newUser(url: string): Promise<Page> {
    const context = await this.#browser.newContext();
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
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
