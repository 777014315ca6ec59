import { readdirSync, readFileSync } from "node:fs";
import { formatIssue } from "../../core/issue.ts";
import { readConfiguration } from "./read.ts";

/** A golden case: an input, and the files that must hold what is made of it. */
export type GoldenCase = { readonly name: string; readonly files: ReadonlyMap<string, string> };

const folder = new URL("testdata/", import.meta.url);

/** The environment that every case is read with. */
const environment = { CAUSEWAY_TOKEN: "0123456789abcdef", SHORT_TOKEN: "short" };

/** Where a file of a case stands. */
export function goldenFile(name: string): URL {
  return new URL(name, folder);
}

/** The names of all files beside the inputs. */
export function goldenOutputs(): readonly string[] {
  return readdirSync(folder).filter((name) => !name.endsWith(".in.yaml"));
}

/** Reads every `<case>.in.yaml` and tells what `<case>.out.json` (if there is a configuration) and `<case>.issues.txt` have to hold. */
export function goldenCases(): readonly GoldenCase[] {
  const inputs = readdirSync(folder).filter((name) => name.endsWith(".in.yaml"));
  return inputs
    .sort()
    .map((input) => goldenCase(input.slice(0, -".in.yaml".length), readFileSync(goldenFile(input), "utf8")));
}

function goldenCase(name: string, input: string): GoldenCase {
  const { configuration, issues } = readConfiguration(textsOf(name, input), environment);
  const lines = issues.map((issue) => `${formatIssue(issue)}\n`).join("");
  const files = new Map([[`${name}.issues.txt`, lines]]);
  if (configuration !== undefined) files.set(`${name}.out.json`, `${JSON.stringify(configuration, undefined, 2)}\n`);
  return { name, files };
}

/** A line `#### name.yaml` begins a further text. */
function textsOf(name: string, input: string): readonly { source: string; text: string }[] {
  const [first = "", ...others] = input.split(/^#### (.+)\n/m);
  const texts = [{ source: `${name}.yaml`, text: first }];
  for (let at = 0; at < others.length; at += 2) texts.push({ source: others[at] ?? "", text: others[at + 1] ?? "" });
  return texts;
}
