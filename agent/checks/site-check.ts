import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import { createLeash } from "../adapters/leashed-program.ts";
import { hostIdentity } from "../adapters/local-system.ts";
import { trustedProgram } from "../adapters/trusted-program.ts";
import type { Ports } from "../ports.ts";
import { fine, type Check, type CheckResult } from "./check.ts";
import type { SiteCheck } from "./check-settings.ts";
import { parseThreshold } from "./threshold.ts";

type SitePorts = Pick<Ports, "settings" | "databases" | "secrets" | "home">;
type SqlCheck = Extract<SiteCheck, { readonly sql: string }>;
type ProgramCheck = Extract<SiteCheck, { readonly program: string }>;

const mostText = 500;

/** The site's own checks of agent.yaml; those in SQL one after the other, so that they take one session at most. */
export function siteChecks(ports: SitePorts): readonly Check[] {
  let before: Promise<unknown> = Promise.resolve();
  const inTurn = (ask: () => Promise<CheckResult>): Promise<CheckResult> => {
    const asked = before.then(ask, ask);
    before = asked;
    return asked;
  };
  return ports.settings.guard.checks.map((check): Check => {
    const { name, schedule, severity } = check;
    const run =
      "sql" in check
        ? (signal: AbortSignal) => inTurn(() => askDatabase(check, ports, signal))
        : runProgram(check, ports);
    return {
      name,
      schedule,
      looks: 1,
      run: (signal) =>
        run(signal).catch((error: unknown) => ({ severity, text: asFailure(error).message })),
    };
  });
}

async function askDatabase(
  { sql, timeoutMs, warning, critical, severity }: SqlCheck,
  ports: SitePorts,
  signal: AbortSignal,
): Promise<CheckResult> {
  const found = await ports.databases
    .firstValue(sql, timeoutMs, signal)
    .catch((error: unknown) => asFailure(error));
  if (found instanceof Failure) return { severity, text: await masked(found.message, ports) };
  if (found === undefined) return { severity, text: "the query gives no row" };
  const value = numberFrom(found);
  if (value === null) {
    const text = typeof found === "string" ? found : JSON.stringify(found);
    return { severity, text: `the query gives no number: ${await masked(text, ports)}` };
  }
  for (const [level, limit] of [
    ["critical", critical],
    ["warning", warning],
  ] as const) {
    if (limit !== undefined && parseThreshold(limit)?.(value) === true) {
      return { severity: level, text: `${value} (${level} ${limit})` };
    }
  }
  return fine(String(value));
}

/** As the driver gives it: large numbers come as text. */
function numberFrom(value: unknown): number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  const number =
    typeof value === "string" && value.trim() !== "" ? Number(value) : typeof value === "number" ? value : Number.NaN; // prettier-ignore
  return Number.isFinite(number) ? number : null;
}

/** By Nagios's exit codes (plugin development guidelines): 0 to 2, and 3 for unknown, as which any other counts. */
const codes: readonly CheckResult["severity"][] = [null, "warning", "critical"];

function runProgram(
  { program, args, timeoutMs, severity }: ProgramCheck,
  ports: SitePorts,
): Check["run"] {
  const { settings, home } = ports;
  const { programs } = settings.allow;
  const leash = createLeash({ allowedPrograms: programs, home });
  return async (signal) => {
    const path = await trustedProgram(program, programs, hostIdentity().user.uid);
    const result = await leash.run(path, args, { limitMs: timeoutMs, signal });
    if (!result.ended) return { severity, text: `${program} ${result.why}` };
    const { exitCode, stdout, stderr } = result;
    const [line = ""] = stdout.split("\n");
    const [said = "", perfdata] = line.split("|", 2).map((part) => part.trim());
    const words = await masked(said === "" ? (stderr.at(-1) ?? "no output") : said, ports);
    const found = codes[exitCode];
    return {
      severity: found === undefined ? severity : found,
      text: found === undefined ? `${words} (exit code ${exitCode})` : words,
      ...(perfdata === undefined ? {} : { perfdata: await masked(perfdata, ports) }),
    };
  };
}

/** Without what looks like a secret, and without those that this host keeps. */
async function masked(text: string, { secrets }: SitePorts): Promise<string> {
  let shown = text;
  for (const name of await secrets.names()) {
    const value = (await secrets.get(name))?.reveal() ?? "";
    if (value !== "") shown = shown.replaceAll(value, "[secret]");
  }
  const [line = ""] = maskSecrets("other", shown).split("\n");
  return line.length <= mostText ? line : `${line.slice(0, mostText)} …`;
}
