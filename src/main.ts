import { commandLine } from "./cli/command-line.ts";

// A reader that goes away, be it `head` or a terminal, must not end what is under way, nor be answered with a stack trace.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

process.exitCode = await commandLine(process.argv.slice(2));
