import { runExample } from "../shared/run-example.ts";
import { dashboard } from "./app.ts";

process.exit(await runExample(dashboard, process.argv.slice(2)));
