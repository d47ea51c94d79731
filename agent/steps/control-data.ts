import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";

/** System identifier of a data directory that no server runs on, from its control file. */
export async function systemIdentifierOf(
  dataDirectory: string,
  context: Pick<StepContext, "programs" | "product" | "settings">,
): Promise<string> {
  const program = `${context.settings.paths.binDirectory}/${context.product.programs.controlData}`;
  const result = await context.programs.run(program, ["-D", dataDirectory], {
    env: { LC_ALL: "C" },
    timeoutMs: 30_000,
  });
  // The first lines are right for a data directory of another major too, so the exit code alone says little.
  const found = /^Database system identifier:\s+(\d+)\s*$/m.exec(result.stdout)?.[1];
  if (found !== undefined) return found;
  throw new Failure("PROGRAM_FAILED", `${program} tells no system identifier of ${dataDirectory}`, {
    evidence: result.stderr,
  });
}
