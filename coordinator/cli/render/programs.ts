import type { ProgramStatus } from "../../api/cluster-run-contract.ts";

/** The table that kingbase_monitor.sh ends with, in its widths (public vendor script build B0290); this one is measured. */
export function renderPrograms(programs: readonly ProgramStatus[]): readonly string[] {
  const rule = "=".repeat(71);
  const cells = (program: string, status: string) =>
    `|${program.padStart(30)}|${status.padStart(22)}`;
  return [
    rule,
    `|${"ip".padStart(15)} ${cells("program", "[status]")}`,
    ...programs.map(
      (row) => `[${row.ip.padStart(15)}]${cells(`[${row.program}]`, `[${row.status}]`)}`,
    ),
    rule,
  ];
}
