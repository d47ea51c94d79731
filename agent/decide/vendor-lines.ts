import { parseCron } from "#shared/config-files/cron-lines.ts";
import type { FileFacts } from "#shared/domain/facts.ts";

/** Where cron runs one of the vendor's checks: `FILE:LINE runs COMMAND`. */
export function activeVendorLines(files: readonly FileFacts[]): readonly string[] {
  return cronFiles(files)
    .filter((file) => file.maskedText !== null)
    .flatMap((file) =>
      Object.values(parseCron(file.maskedText ?? "", file.path).vendor)
        .flatMap(({ lines }) => lines)
        .filter((line) => line.hashes === 0)
        .map((line) => `${file.path}:${line.line} runs ${line.command}`),
    );
}

/** Cron files that are there, and nobody can say what they run. */
export function unseenCronFiles(files: readonly FileFacts[]): readonly string[] {
  return cronFiles(files)
    .filter(({ state, maskedText }) => state !== "absent" && maskedText === null)
    .map(({ path, state }) => `${path} is ${state}`);
}

function cronFiles(files: readonly FileFacts[]): readonly FileFacts[] {
  return files.filter(({ format }) => format === "cron");
}
