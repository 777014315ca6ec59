import { runExample } from "../shared/run-example.ts";
import { chat } from "./app.ts";

process.exitCode = await runExample(chat, process.argv.slice(2));
