import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { referencePage } from "./reference.ts";
import { jsonSchema } from "./schema.ts";

test("the committed reference page is what the schema says (npm run reference writes it)", () => {
  const page = readFileSync(new URL("../../../docs/reference/configuration.md", import.meta.url), "utf8");
  expect(referencePage()).toBe(page);
});

test("every key has a description", () => {
  const missing: string[] = [];
  collect(jsonSchema(), "", missing);
  expect(missing).toEqual([]);
});

test("the JSON Schema describes what is written, not what is made of it", () => {
  const schema = JSON.stringify(jsonSchema());
  expect(schema).toContain('"required":["listeners"]');
  expect(schema).toContain('"default":"30s"');
  expect(schema).not.toContain("windowMs");
});

function collect(node: unknown, path: string, missing: string[]): void {
  if (typeof node !== "object" || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === "properties") {
      for (const [name, property] of Object.entries(value)) {
        const isDescribed = typeof property === "object" && property !== null && "description" in property;
        if (!isDescribed) missing.push(`${path}.${name}`);
        collect(property, `${path}.${name}`, missing);
      }
    } else collect(value, path, missing);
  }
}
