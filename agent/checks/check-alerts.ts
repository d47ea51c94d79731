import * as z from "zod";
import { GuardFinding } from "#shared/domain/facts.ts";
import { asFailure } from "#shared/errors.ts";
import { readSmallFile } from "../adapters/local-system.ts";
import { asciiJson, writePrivateFile } from "../adapters/private-file.ts";
import type { HostEvent } from "../host-event.ts";
import type { Ports } from "../ports.ts";
import type { PeriodicCheck } from "../schedule.ts";
import { warning, type Check, type CheckResult } from "./check.ts";

/** What is open at the coordinator, by check: without it, what ended while the agent was away would stay open for ever. */
const OpenFindings = z.record(z.string(), GuardFinding.shape.severity);
type OpenFindings = z.infer<typeof OpenFindings>;

/** These checks with an alert each: of cause `check:NAME`, opened by what they find and ended when they find nothing. */
export function withAlerts(
  checks: readonly Check[],
  { clock, log, settings }: Pick<Ports, "clock" | "log" | "settings">,
  onHostEvent: (event: HostEvent) => void,
): readonly PeriodicCheck[] {
  const file = `${settings.stateDirectory}/checks.json`;
  const against = new Map<string, number>();
  let recalled: Promise<OpenFindings> | null = null;
  /** One write at a time. */
  let saved: Promise<void> = Promise.resolve();

  async function recall(): Promise<OpenFindings> {
    const open = await loadOpen(file);
    for (const name of Object.keys(open)) {
      if (checks.some((check) => check.name === name)) continue;
      delete open[name];
      tell(name, null, "is not made any more");
    }
    save(open);
    return open;
  }

  /** Nobody waits for it: on a disk that stands still, checks go on and are told. */
  function save(open: OpenFindings): void {
    saved = saved
      .then(() => writePrivateFile(file, asciiJson(open)))
      .catch((error: unknown) => {
        log.error({ error }, "What the checks found could not be kept on disk.");
      });
  }

  function tell(name: string, severity: CheckResult["severity"], text: string): void {
    onHostEvent({
      at: clock.now(),
      kind: severity === null ? "guard-cleared" : "guard-finding",
      cause: `check:${name}`,
      severity: severity ?? "info",
      summary: `check ${name}: ${text}`,
      detail: "",
    });
  }

  async function look({ name, looks }: Check, { severity, text }: CheckResult): Promise<void> {
    const open = await (recalled ??= recall());
    const before = open[name] ?? null;
    if (severity === before) {
      against.delete(name);
      return;
    }
    const seen = (against.get(name) ?? 0) + 1;
    against.set(name, seen);
    if (seen < looks) return;
    against.delete(name);
    if (severity === null) delete open[name];
    else open[name] = severity;
    tell(name, severity, text);
    save(open);
  }

  return checks.map((check) => ({
    name: check.name,
    schedule: check.schedule,
    run: async (signal) => {
      const result = await check
        .run(signal)
        .catch((error: unknown) => warning(`could not be made: ${asFailure(error).message}`));
      // One that was broken off, as the agent stops, has found nothing.
      if (!signal.aborted) await look(check, result);
      return result;
    },
  }));
}

async function loadOpen(file: string): Promise<OpenFindings> {
  try {
    return OpenFindings.parse(JSON.parse((await readSmallFile(file)) ?? ""));
  } catch {
    // None yet, or torn by a crash: alerts are opened again as they are found.
    return {};
  }
}
