import { pageAnswer, selfContained } from "../../examples/shared/answers.ts";
import page from "./demo-page.html" with { type: "text" };

/** What the demo tells its user, on the terminal and on its first page. */
export type DemoWords = {
  /** How many instances of the chat run, and why. */
  readonly chat: string;
  readonly curl: string;
  /** The URL of the same over TLS, and how to ask there without a warning. */
  readonly secure: string;
  readonly trust: string;
  readonly sessions: string;
  /** Base URL of the admin API, without a slash at the end. */
  readonly admin: string;
  /** Path of the configuration. */
  readonly file: string;
};

/** Serves the demo's first page on a port of the kernel's choice, as soon as there is something to say. */
export class DemoPage implements Disposable {
  readonly #server: Bun.Server<undefined>;
  #html = "";

  private constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => pageAnswer(this.#html),
    });
  }

  /** Opens the port. */
  static open(): DemoPage {
    return new DemoPage();
  }

  get port(): number {
    return this.#server.port ?? 0;
  }

  /** From now on the page says this. */
  show(words: DemoWords): void {
    this.#html = Object.entries(words).reduce(
      (html, [key, value]) => html.replaceAll(`{{${key}}}`, () => Bun.escapeHTML(value)),
      selfContained(page),
    );
  }

  [Symbol.dispose](): void {
    this.#server.stop(true);
  }
}
