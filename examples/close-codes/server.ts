import { runExample } from "../shared/run-example.ts";
import { closeCodes } from "./app.ts";

process.exitCode = await runExample(closeCodes, process.argv.slice(2));
