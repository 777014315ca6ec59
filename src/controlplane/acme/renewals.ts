import type { AcmeChallenge } from "../../core/acme-challenge.ts";
import type { AcmeCertificate, AcmeSettings } from "../../core/acme-settings.ts";
import { Backoff, type BackoffPlan } from "../../kit/backoff.ts";
import { formatDuration } from "../../kit/duration.ts";
import { after, sleep } from "../../kit/sleep.ts";
import type { EventLog } from "../event-log.ts";
import { AcmeAccount } from "./acme-account.ts";
import { AcmeFailure } from "./acme-failure.ts";
import { accountKeyIn, keepPair, makeWritable, periodOf } from "./certificate-folder.ts";
import { orderCertificate } from "./order-certificate.ts";

/** How often it is looked what is due, how long after a failure it is tried again, and how long one order may take. Milliseconds. */
export type RenewalPace = { readonly lookMs: number; readonly retry: BackoffPlan; readonly orderMs: number };

const minuteMs = 60_000;

/** Authorities count failures by the hour: Let's Encrypt allows five for a name. */
const usualPace: RenewalPace = {
  lookMs: 1000,
  retry: { firstMs: 2 * minuteMs, mostMs: 360 * minuteMs, calmMs: 1440 * minuteMs },
  orderMs: 5 * minuteMs,
};

/** A file that is not due is read again after this long, since somebody may have removed it (ms). */
const rereadMs = minuteMs;

/** Which certificates are wanted, and who shows the answers to challenges. */
export type RenewalsOptions = {
  readonly log: EventLog;
  /** What is wanted, by the configuration in force. */
  readonly settings: () => AcmeSettings | undefined;
  /** Makes every listener show these challenges and no others; resolves when they do. */
  readonly show: (challenges: readonly AcmeChallenge[]) => Promise<void>;
  readonly pace?: RenewalPace;
};

/** What is known of one certificate: when it is due by its file, when that was read, and until when a failure keeps it waiting. */
type Plan = { readonly backoff: Backoff; dueAt: number; readAt: number; waitsUntil: number };

/** The part of its life that a certificate is used for before there is another one. */
const usedPart = 2 / 3;

/** Orders certificates that are not there, and anew those that have lived two thirds of their life. */
export class Renewals {
  readonly #options: RenewalsOptions;
  readonly #pace: RenewalPace;
  readonly #plans = new Map<string, Plan>();
  readonly #shown = new Set<AcmeChallenge>();
  #settings: AcmeSettings | undefined;
  #ordering: AbortController | undefined;
  #issued = 0;
  #failed = 0;

  constructor(options: RenewalsOptions) {
    this.#options = options;
    this.#pace = options.pace ?? usualPace;
  }

  /** Orders that have ended, by how they did. */
  get orders(): { readonly issued: number; readonly failed: number } {
    return { issued: this.#issued, failed: this.#failed };
  }

  /** What every listener shows at present. */
  get challenges(): readonly AcmeChallenge[] {
    return [...this.#shown];
  }

  /** Looks after the certificates until `signal` aborts. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#look();
      await sleep(this.#pace.lookMs, signal);
    }
    this.#ordering?.abort();
  }

  #look(): void {
    const settings = this.#options.settings();
    if (settings !== this.#settings && !Bun.deepEquals(settings, this.#settings)) {
      // What failed before need not fail now.
      this.#plans.clear();
      this.#ordering?.abort();
    }
    this.#settings = settings;
    if (settings === undefined || this.#ordering !== undefined) return;
    const due = settings.certificates.find(({ file }) => this.#isDue(this.#planOf(file), file));
    if (due !== undefined) void this.#order(settings, due);
  }

  #isDue(plan: Plan, file: string): boolean {
    const now = Date.now();
    if (now < plan.waitsUntil) return false;
    if (plan.dueAt <= now || now - plan.readAt >= rereadMs) {
      plan.dueAt = renewalOf(file);
      plan.readAt = now;
    }
    return plan.dueAt <= now;
  }

  #planOf(file: string): Plan {
    const known = this.#plans.get(file);
    if (known !== undefined) return known;
    const plan: Plan = { backoff: new Backoff(this.#pace.retry), dueAt: 0, readAt: 0, waitsUntil: 0 };
    this.#plans.set(file, plan);
    return plan;
  }

  /** One at a time: authorities do not like more, and there is no hurry. */
  async #order(settings: AcmeSettings, certificate: AcmeCertificate): Promise<void> {
    const { directory } = settings;
    const { names, file } = certificate;
    const ordering = new AbortController();
    this.#ordering = ordering;
    const cancel = after(this.#pace.orderMs, () => ordering.abort(tooLate));
    const isRenewal = periodOf(file) !== undefined;
    const says = `${isRenewal ? "a new" : "a"} certificate for ${names.join(", ")} is ordered from ${directory}`;
    this.#options.log.info("certificate-ordered", says, { names, directory, isRenewal });
    try {
      await this.#fetch(settings, certificate, ordering.signal);
      this.#succeeded(certificate);
    } catch (error) {
      const { aborted, reason } = ordering.signal;
      // Otherwise nobody wants it any more.
      if (!aborted || reason === tooLate) this.#refused(certificate, aborted ? tooLate : error);
    } finally {
      cancel();
      this.#ordering = undefined;
    }
  }

  async #fetch(settings: AcmeSettings, { names, file }: AcmeCertificate, signal: AbortSignal): Promise<void> {
    const { folder, challenge } = settings;
    // A certificate that cannot be kept is not ordered: authorities give out only so many.
    makeWritable(folder);
    const account = await AcmeAccount.open(settings, accountKeyIn(folder), signal);
    const present = (shown: AcmeChallenge) => this.#present(shown);
    keepPair(file, await orderCertificate(account, { names, challenge, present, signal }));
  }

  async #present(challenge: AcmeChallenge): Promise<Disposable> {
    this.#shown.add(challenge);
    await this.#options.show(this.challenges);
    return {
      [Symbol.dispose]: () => {
        this.#shown.delete(challenge);
        void this.#options.show(this.challenges);
      },
    };
  }

  #succeeded({ names, file }: AcmeCertificate): void {
    this.#issued++;
    this.#plans.delete(file);
    const until = periodOf(file)?.until ?? 0;
    const [ends, renewed] = [until, renewalOf(file)].map((time) => new Date(time).toISOString());
    const says = `there is a certificate for ${names.join(", ")} until ${ends}; it is renewed after ${renewed}`;
    this.#options.log.info("certificate-issued", says, { names, file, notAfter: until });
  }

  #refused({ names, file }: AcmeCertificate, error: unknown): void {
    this.#failed++;
    const plan = this.#planOf(file);
    const wanted = error instanceof AcmeFailure ? (error.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(plan.backoff.next(performance.now()), wanted);
    plan.waitsUntil = Date.now() + waitMs;
    const why = error instanceof Error ? error.message : String(error);
    const left = periodOf(file);
    const stays = left === undefined ? "" : `, and the one there is ends ${new Date(left.until).toISOString()}`;
    const soon = formatDuration(Math.ceil(waitMs / 1000) * 1000);
    const says = `no certificate came for ${names.join(", ")}: ${why}; it is ordered again in ${soon}${stays}`;
    this.#options.log.error("certificate-failed", says, { names, why, retryMs: Math.round(waitMs) });
  }
}

const tooLate = new AcmeFailure("the authority took too long");

/** When the certificate in a file is due: Unix milliseconds, 0 if there is none. */
function renewalOf(file: string): number {
  const period = periodOf(file);
  return period === undefined ? 0 : period.from + (period.until - period.from) * usedPart;
}
