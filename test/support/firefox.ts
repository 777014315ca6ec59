import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requires } from "./requires.ts";
import { testAuthority } from "./test-certificates.ts";

const preferences = {
  // Nothing of what a new profile does for its user: no first pages, no updates, no reports, no prefetching.
  "app.normandy.enabled": false,
  "app.update.enabled": false,
  "browser.aboutwelcome.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage_override.mstone": "ignore",
  "datareporting.policy.dataSubmissionEnabled": false,
  "datareporting.policy.firstRunURL": "",
  "extensions.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "network.http.speculative-parallel-limit": 0,
  "toolkit.telemetry.enabled": false,
  // Whatever the release has for its default.
  "network.http.http2.websockets": true,
};

/** Whether Firefox ESR is here, and what makes it believe the authority of the tests; if not, one line says so. */
export function hasFirefox(): boolean {
  return requires("firefox-esr", "firefox-esr") && requires("certutil", "libnss3-tools");
}

/** Firefox ESR with a new profile, without a driver: its page has to say itself what it sees. */
export class TestFirefox implements AsyncDisposable {
  readonly #profile: string;
  readonly #process: Bun.Subprocess<"ignore", "ignore", "ignore">;

  private constructor(profile: string, process: Bun.Subprocess<"ignore", "ignore", "ignore">) {
    this.#profile = profile;
    this.#process = process;
  }

  /** Opens a page, and believes certificates of the test authority. */
  static open(url: string): TestFirefox {
    const profile = mkdtempSync(join(tmpdir(), "causeway-firefox-"));
    const lines = Object.entries(preferences).map(
      ([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`,
    );
    writeFileSync(join(profile, "user.js"), lines.join(""));
    const authority = join(profile, "authority.pem");
    writeFileSync(authority, testAuthority().cert);
    const database = `sql:${profile}`;
    certutil(["-N", "-d", database, "--empty-password"]);
    certutil(["-A", "-d", database, "-n", "tests", "-t", "C,,", "-i", authority]);
    const command = ["firefox-esr", "--headless", "--no-remote", "--profile", profile, url];
    // Its own home too, because it writes to the user's caches otherwise.
    const env = { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: "1" };
    return new TestFirefox(profile, Bun.spawn(command, { stdio: ["ignore", "ignore", "ignore"], env }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.exited;
    rmSync(this.#profile, { recursive: true, force: true });
  }
}

function certutil(words: readonly string[]): void {
  const { success, stderr } = Bun.spawnSync(["certutil", ...words]);
  if (!success) throw new Error(`certutil ${words.join(" ")}: ${stderr}`);
}
