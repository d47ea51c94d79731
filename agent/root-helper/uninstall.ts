import { existsSync, rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { Failure } from "#shared/errors.ts";
import { takenLines } from "./cron-file.ts";
import { path, settingsFile } from "./helper-settings.ts";
import { installedProgram, stateDirectory, sudoersFile } from "./install.ts";

/**
 * Takes away what `install` put on this host, the sudoers line first. Not while the vendor's lines are commented by us:
 * with this program goes the only copy of what they were. Answers the lines to show.
 * @throws Failure REFUSED
 */
export function uninstall(args: readonly string[]): readonly string[] {
  const { "lib-dir": folder } = optionsIn(args);
  const taken = takenLines(stateDirectory);
  if (taken.length > 0) {
    throw new Failure("REFUSED", `the vendor's ${taken.join(" and ")} lines are commented by Castellan, and would stay so`, {
      hint: "Give them back first: castellan guard handback CLUSTER, or on this host, as the agent's user, castellan-agent uninstall.",
    }); // prettier-ignore
  }
  const program = installedProgram(folder === undefined ? folder : path(folder, "--lib-dir"));
  const files = [sudoersFile, settingsFile, program, stateDirectory].filter(existsSync);
  for (const file of files) rmSync(file, { recursive: true });
  return files.length === 0 ? ["nothing of ours"] : files.map((file) => `removed ${file}`);
}

function optionsIn(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: { "lib-dir": { type: "string" } } }).values;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure("USAGE", `${why}\nusage: castellan-root uninstall [--lib-dir DIR]`, { cause: error }); // prettier-ignore
  }
}
