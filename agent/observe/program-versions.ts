import type { Ports } from "../ports.ts";

export type ProgramVersions = {
  readonly serverText: string | null;
  readonly clientNumber: number | null;
};

/** What the installed server and base backup programs call themselves; null for one that isn't there. */
export async function programVersions(
  ports: Pick<Ports, "settings" | "product" | "programs">,
): Promise<ProgramVersions> {
  const { server, baseBackup } = ports.product.programs;
  const directory = ports.settings.paths.binDirectory;
  const [serverText, clientText] = await Promise.all([
    firstLine(ports, `${directory}/${server}`),
    firstLine(ports, `${directory}/${baseBackup}`),
  ]);
  return { serverText, clientNumber: clientText === null ? null : versionNumberIn(clientText) };
}

async function firstLine(ports: Pick<Ports, "programs">, program: string): Promise<string | null> {
  try {
    const { exitCode, stdout } = await ports.programs.run(program, ["-V"], { timeoutMs: 10_000 });
    const line = stdout.split("\n", 1)[0]?.trim() ?? "";
    return exitCode === 0 && line !== "" ? line : null;
  } catch {
    return null;
  }
}

/**
 * `pg_basebackup (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is 150018; `… 9.6.24` is 90624; `… 19beta1` is 190000.
 * null where no number follows the product's name.
 */
export function versionNumberIn(line: string): number | null {
  const match = /\)\s+(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(line);
  if (match === null) return null;
  const [major, minor, patch] = [match[1], match[2], match[3]].map((part) => Number(part ?? 0));
  if (major === undefined || minor === undefined || patch === undefined) return null;
  return major >= 10 ? major * 10_000 + minor : major * 10_000 + minor * 100 + patch;
}
