import { runExample } from "../shared/run-example.ts";
import { dashboard } from "./app.ts";

process.exitCode = await runExample(dashboard, process.argv.slice(2));
