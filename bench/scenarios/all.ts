import { handshakesScenario, tlsHandshakesScenarios } from "./handshakes.ts";
import { httpScenario } from "./http.ts";
import { idleWsScenario, idleWssScenario } from "./idle.ts";
import type { Scenario } from "./scenario.ts";
import { twoWorkersScenario } from "./two-workers.ts";
import { wsEchoScenarios } from "./ws-echo.ts";
import { wssEchoScenarios } from "./wss-echo.ts";

/** Every scenario there is, in the order of the reports. */
export const allScenarios: readonly Scenario[] = [
  ...wsEchoScenarios,
  idleWsScenario,
  handshakesScenario,
  httpScenario,
  ...wssEchoScenarios,
  idleWssScenario,
  ...tlsHandshakesScenarios,
  twoWorkersScenario,
];
