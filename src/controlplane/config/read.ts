import type { z } from "zod";
import type { Configuration, ConfigurationText, Places, Reading } from "../../core/configuration.ts";
import type { Place } from "../../core/issue.ts";
import type { KeyPair } from "../../core/tls-settings.ts";
import { readAcme, settleAcme } from "./acme.ts";
import { checkAcross } from "./across.ts";
import { adminSettings, drainSettings } from "./control.ts";
import { createCookieKeyFile, readCookieKey } from "./cookie-key.ts";
import { EntryMemory } from "./entry-memory.ts";
import { Findings } from "./findings.ts";
import { KeyRing, type ReadFile } from "./key-ring.ts";
import { readListenerTls } from "./listener-tls.ts";
import { listenerSchema, listenerSettings } from "./listeners.ts";
import { mergeTrees } from "./merge.ts";
import { readReferencedFile } from "./referenced-file.ts";
import { type Route, routeSchema, routeSettings } from "./routes.ts";
import { configurationSchema } from "./schema.ts";
import { checkTopLevel, type Draft, type Entries, readEntries, readSection, report } from "./sections.ts";
import { formatPath, type Path, type Tree, valueSpotOf } from "./tree.ts";
import { readUpstreamTls } from "./upstream-tls.ts";
import { upstreamSchema, upstreamSettings } from "./upstreams.ts";
import { readYaml } from "./yaml-text.ts";

/** Environment variables by name. */
type Environment = Readonly<Record<string, string | undefined>>;

/** What the last reading came to, so that the next one has less to check. */
type Memory = {
  readonly listeners: EntryMemory<z.output<typeof listenerSchema>>;
  readonly upstreams: EntryMemory<z.output<typeof upstreamSchema>>;
  readonly routes: EntryMemory<Route>;
};

function newMemory(): Memory {
  return { listeners: new EntryMemory(), upstreams: new EntryMemory(), routes: new EntryMemory() };
}

/**
 * Reads, merges and checks texts of our own YAML, and the certificates that they name. Every problem of every text becomes an issue; an
 * error withholds the configuration.
 */
export function readConfiguration(
  texts: readonly ConfigurationText[],
  environment: Environment = process.env,
  readFile: ReadFile = readReferencedFile,
): Reading {
  return readWith(texts, { environment, memory: newMemory(), ring: new KeyRing(readFile), readFile });
}

/** The same for somebody who reads again and again: only what has changed is checked, and a file for `cookieKey` is made. */
export function configurationReader(): (texts: readonly ConfigurationText[]) => Reading {
  const memory = newMemory();
  const ring = new KeyRing(readReferencedFile);
  const files = { readFile: readReferencedFile, createFile: createCookieKeyFile };
  return (texts) => readWith(texts, { environment: process.env, memory, ring, ...files });
}

type Given = {
  readonly environment: Environment;
  readonly memory: Memory;
  readonly ring: KeyRing;
  readonly readFile: ReadFile;
  readonly createFile?: typeof createCookieKeyFile;
};

function readWith(texts: readonly ConfigurationText[], given: Given): Reading {
  given.ring.turn();
  const findings = new Findings();
  const trees = texts.map((text) => readYaml(text, findings));
  const root = mergeTrees(
    trees.filter((tree) => tree !== undefined && tree !== "broken"),
    { findings, fallback: texts[0]?.source ?? "configuration" },
  );
  const keyFiles: string[] = [];
  const isReadable = !trees.includes("broken");
  const configuration = readRoot({ root, findings }, { ...given, isReadable, keyFiles });
  const issues = findings.inOrder(texts.map((text) => text.source));
  const files = [...given.ring.files, ...keyFiles];
  if (findings.hasErrors || configuration === undefined) return { configuration: undefined, issues, files };
  return { configuration, issues, places: placesIn(root, configuration), files };
}

function placesIn(root: Tree, { model }: Configuration): Places {
  const placeOf = (path: Path): Place => ({ ...valueSpotOf(root, path), path: formatPath(path) });
  const listeners = model.listeners.map(
    ({ name }) => [`listeners.${name}.address`, placeOf(["listeners", name, "address"])] as const,
  );
  return new Map([["admin.address", placeOf(["admin", "address"])], ...listeners]);
}

/** `keyFiles` gets the files beside those of TLS that were read. */
type RootGiven = Given & { readonly isReadable: boolean; readonly keyFiles: string[] };

function readRoot(draft: Draft, given: RootGiven): Configuration | undefined {
  const { memory } = given;
  const { shape } = configurationSchema;
  checkTopLevel(draft, Object.keys(shape));
  const admin = readAdmin(draft, given.environment);
  const log = readSection(draft, "log", shape.log);
  const drain = readSection(draft, "drain", shape.drain);
  const workers = readSection(draft, "workers", shape.workers);
  const listeners = readEntries(draft, "listeners", { schema: listenerSchema, memory: memory.listeners });
  const upstreams = readEntries(draft, "upstreams", { schema: upstreamSchema, memory: memory.upstreams });
  const routes = readEntries(draft, "routes", { schema: routeSchema, memory: memory.routes });
  const pairs = new Map<string, KeyPair>();
  const reading = { draft, ring: given.ring, environment: given.environment };
  const acme = readAcme(readSection(draft, "acme", shape.acme), reading);
  const sources = { ...reading, pairs, acme };
  const tls = { listeners: readListenerTls(listeners, sources), upstreams: readUpstreamTls(upstreams, sources) };
  const cookies = readCookieKey(readSection(draft, "cookieKey", shape.cookieKey), { draft, ...given });
  given.keyFiles.push(...cookies.files);
  // What refers to a text that cannot be read is not wrong because of that.
  if (given.isReadable) checkAcross(draft, { admin, listeners, upstreams, routes });
  const ordered = settleAcme(draft, acme, listeners);
  if (admin === undefined || workers === undefined || log === undefined || drain === undefined) return undefined;
  return {
    model: {
      listeners: settingsOf(listeners, (name, listener) => listenerSettings(name, listener, tls.listeners.get(name))),
      routes: settingsOf(routes, routeSettings),
      upstreams: settingsOf(upstreams, (name, upstream) => upstreamSettings(name, upstream, tls.upstreams.get(name))),
      ...(pairs.size === 0 ? {} : { certificates: [...pairs.values()] }),
      ...(cookies.key === undefined ? {} : { cookieKey: cookies.key }),
    },
    settings: {
      workers,
      admin,
      log,
      drain: drainSettings(drain),
      ...(ordered === undefined ? {} : { acme: ordered }),
    },
  };
}

function readAdmin(draft: Draft, environment: Environment) {
  const section = readSection(draft, "admin", configurationSchema.shape.admin);
  if (section === undefined) return undefined;
  const settings = adminSettings(section, environment);
  if (!("problem" in settings)) return settings;
  report(draft, ["admin", settings.at], settings.problem);
  return undefined;
}

function settingsOf<Value, Settings>(
  entries: Entries<Value>,
  make: (name: string, value: Value) => Settings,
): readonly Settings[] {
  const settings: Settings[] = [];
  for (const [name, { whole }] of entries) if (whole !== undefined) settings.push(make(name, whole));
  return settings;
}
