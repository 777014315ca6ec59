import { mkdirSync, writeFileSync } from "node:fs";
import { referencePage } from "../src/controlplane/config/reference.ts";

// Writes the reference page of the configuration, which a test compares with the schema.
const folder = new URL("../docs/reference/", import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL("configuration.md", folder), referencePage());
console.log("docs/reference/configuration.md written");
