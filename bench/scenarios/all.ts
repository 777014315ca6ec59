import { handshakesScenario } from "./handshakes.ts";
import { httpScenario } from "./http.ts";
import { idleScenario } from "./idle.ts";
import type { Scenario } from "./scenario.ts";
import { wsEchoScenarios } from "./ws-echo.ts";

/** Every scenario there is, in the order of the reports. */
export const allScenarios: readonly Scenario[] = [...wsEchoScenarios, idleScenario, handshakesScenario, httpScenario];
