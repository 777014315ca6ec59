import { relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Where to, if not to `dist/`. */
const [outfile = `${root}dist/causeway`] = process.argv.slice(2);

const result = await Bun.build({
  entrypoints: [`${root}src/main.ts`],
  // Files of the folder in which somebody starts the gateway are not meant for it.
  compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
  throw: false,
});
for (const log of result.logs) console.error(log);
if (result.success) process.stdout.write(`built ${relative(process.cwd(), outfile)}\n`);
process.exitCode = result.success ? 0 : 1;
