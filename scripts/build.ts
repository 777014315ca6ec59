import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

const result = await Bun.build({
  entrypoints: [`${root}src/main.ts`],
  // Files of the folder in which somebody starts the gateway are not meant for it.
  compile: { outfile: `${root}dist/causeway`, autoloadDotenv: false, autoloadBunfig: false },
  throw: false,
});
for (const log of result.logs) console.error(log);
if (result.success) process.stdout.write("built dist/causeway\n");
process.exitCode = result.success ? 0 : 1;
