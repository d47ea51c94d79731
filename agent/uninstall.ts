import { Failure } from "#shared/errors.ts";
import { productOf } from "#shared/products/product.ts";
import { systemClock } from "#shared/time.ts";
import { takeInstanceLock } from "./adapters/instance-lock.ts";
import { createProgramRunner } from "./adapters/programs.ts";
import { createRootHelper } from "./adapters/root-helper-client.ts";
import { openGuardModes } from "./guard/guard-modes.ts";
import type { AgentSettings } from "./settings.ts";

type UninstallInput = {
  readonly settings: Pick<AgentSettings, "node" | "product" | "rootHelper" | "stateDirectory">;
  readonly configFile: string;
  readonly pid: number;
  readonly home: string;
};

/**
 * Before this host is left to others: nothing of ours acts here any more, and only then do the vendor's checks again.
 * Asks no coordinator, and deletes nothing: what is kept of this host is a person's to throw away. Answers the lines to show.
 * @throws Failure OPERATION_CONFLICT while the agent runs; what the root helper answers
 */
export async function uninstall(input: UninstallInput): Promise<readonly string[]> {
  const { settings, configFile, pid, home } = input;
  const { stateDirectory } = settings;
  await using _alone = await takeInstanceLock(stateDirectory, pid).catch((error: unknown) => {
    const isRunning = error instanceof Failure && error.code === "OPERATION_CONFLICT";
    if (!isRunning) throw error;
    throw new Failure(error.code, error.message, {
      cause: error,
      hint: "Stop it for good first: systemctl disable --now castellan-agent; databases go on.",
    });
  });
  const modes = await openGuardModes({ ...settings, clock: systemClock });
  const was = modes.lasting();
  if (was !== "observe") await modes.setMode("observe", "castellan-agent uninstall");
  return [
    was === "observe" ? "The guard was not in charge here." : "The guard is in charge no more.",
    ...(await restoredLines(settings, home)),
    "Still to do, as root:",
    ...(settings.rootHelper === null ? [] : ["  castellan-root uninstall"]),
    `  rm -r ${stateDirectory} ${configFile}`,
  ];
}

async function restoredLines(
  settings: UninstallInput["settings"],
  home: string,
): Promise<readonly string[]> {
  const { vendor } = productOf(settings.product);
  if (vendor === null) return [];
  if (settings.rootHelper === null) {
    return [`agent.yaml names no root helper: ${vendor.cronFile} is left as it is.`];
  }
  const runner = createProgramRunner({ home });
  const helper = createRootHelper({ command: settings.rootHelper, runner, clock: systemClock, home }); // prettier-ignore
  const { stdout } = await helper.run("cron-restore");
  return [`${vendor.cronFile}: ${stdout.trim()}`];
}
