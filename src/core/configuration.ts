import type { AcmeSettings } from "./acme-settings.ts";
import type { Issue, Place } from "./issue.ts";
import type { Snapshot } from "./snapshot.ts";

/** What a checked configuration comes to: what the data plane shall be, and how the control process itself shall work. */
export type Configuration = {
  readonly model: Omit<Snapshot, "revision">;
  readonly settings: ControlSettings;
};

/** The control process's own settings. Times in milliseconds. */
export type ControlSettings = {
  /** How many processes serve traffic; `auto` is one for each core. */
  readonly workers: "auto" | number;
  readonly admin: {
    readonly host: string;
    /** 0 lets the kernel choose. */
    readonly port: number;
    /** The bearer token that every request but `/healthz` and `/readyz` must carry; must be set where `host` is not a loopback address. */
    readonly token?: string;
  };
  readonly log: {
    /** `auto`: readable on a terminal, JSON lines otherwise. */
    readonly format: "auto" | "json" | "text";
    /** False switches access lines off; the gateway's own events stay. */
    readonly access: boolean;
    /** Names of query parameters whose values are replaced in the log. */
    readonly redactQuery: readonly string[];
  };
  /** How sessions end on SIGTERM, and when a route with open sessions is deleted. */
  readonly drain: {
    readonly windowMs: number;
    /** After this long since the start whatever is left is cut. */
    readonly graceMs: number;
    readonly code: number;
    readonly reason: string;
  };
  /** Absent: no certificate is ordered. Holds a secret: what binds the account. */
  readonly acme?: AcmeSettings;
};

/** What may be shown of them. */
export function withoutSecrets({ admin, acme, ...settings }: ControlSettings) {
  const { token, ...shownAdmin } = admin;
  const { eab, ...shownAcme } = acme ?? {};
  return {
    ...settings,
    admin: { ...shownAdmin, hasToken: token !== undefined },
    ...(acme === undefined ? {} : { acme: { ...shownAcme, ...(eab === undefined ? {} : { keyId: eab.keyId }) } }),
  };
}

/** The result of reading a configuration: no `configuration` if any issue is an error. */
export type Reading = {
  readonly configuration: Configuration | undefined;
  readonly issues: readonly Issue[];
  /** Where the settings stand that may fail although nothing is wrong with them, since the machine has a say: the addresses to bind. */
  readonly places?: Places;
  /** Other files that were read, because the texts name them; it is read anew when one of them changes. */
  readonly files?: readonly string[];
};

/** Places by the path of a setting: `admin.address`, `listeners.<name>.address`. */
export type Places = ReadonlyMap<string, Place>;

/** A piece of configuration text and the name to call it in issues (a path as the user gave it). */
export type ConfigurationText = { readonly source: string; readonly text: string };

/** The whole state of a source: all its texts, and what went wrong while reading them. */
export type SourceState = { readonly texts: readonly ConfigurationText[]; readonly issues: readonly Issue[] };

/** A text that is written, and takes the place of the old one with `commit`. One of the two must follow. */
export type StagedText = { commit(): Promise<void>; discard(): Promise<void> };

/** A place configuration comes from. Each value of `watch` is its whole state; the first comes at once. */
export interface Source {
  readonly name: string;
  watch(signal: AbortSignal): AsyncIterable<SourceState>;
  /** Makes ready to say `text` and nothing else from now on; fails where that cannot be. */
  stage?(text: string): Promise<StagedText | { readonly problem: string }>;
  /** Somebody wants to be sure: the next value comes as soon as it can, whether anything has changed or not. */
  refresh?(): void;
}
