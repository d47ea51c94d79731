import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { siteChecks } from "#agent/checks/site-check.ts";
import type { CheckResult } from "#agent/checks/check.ts";
import type { Ports } from "#agent/ports.ts";
import { AgentSettings } from "#agent/settings.ts";
import { openPorts } from "../real-ports.ts";

export type CheckBed = AsyncDisposable & {
  /** An allowed directory for programs. */
  readonly programs: string;
  readonly ports: Ports;
  /** A shell script in there; its path. */
  program(name: string, text: string, mode?: number): Promise<string>;
  /** One run of a check, as agent.yaml names it. */
  run(check: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<CheckResult>;
};

/** The site's own checks with the agent's real adapters. */
export async function openCheckBed(database?: AgentSettings["database"]): Promise<CheckBed> {
  const home = await openPorts();
  const programs = join(home.folder, "programs");
  await mkdir(programs, { mode: 0o755 });
  const { settings } = home.ports;
  const allow = { ...settings.allow, programs: [...settings.allow.programs, programs] };
  const ports = { ...home.ports, settings: { ...settings, allow, ...(database && { database }) } };
  return {
    programs,
    ports,
    program: async (name, text, mode = 0o755) => {
      const path = join(programs, name);
      await writeFile(path, `#!/bin/sh\n${text}\n`);
      await chmod(path, mode);
      return path;
    },
    run: async (check, signal = new AbortController().signal) => {
      const guard = AgentSettings.shape.guard.parse({
        ...settings.guard,
        checks: [{ name: "own", schedule: "0 * * * * *", ...check }],
      });
      const [made] = siteChecks({ ...ports, settings: { ...ports.settings, guard } });
      if (made === undefined) throw new Error("no check was made");
      return made.run(signal);
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}
