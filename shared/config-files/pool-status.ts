import { type Complaint, splitLines } from "./text-file.ts";

type PoolNodeStatus = "up" | "down" | "unused";

/** pgpool_status or kingbasecluster_status: what the pool remembers of its backends over a restart. */
export type PoolStatus = {
  /** By backend id. */
  readonly nodes: readonly PoolNodeStatus[];
  readonly complaints: readonly Complaint[];
};

/** `"up\ndown\n"` gives two nodes. Pools before pgpool 3.4 wrote bytes instead of words: that is a complaint. */
export function parsePoolStatus(text: string, file = ""): PoolStatus {
  const nodes: PoolNodeStatus[] = [];
  for (const line of splitLines(text)) {
    const word = line.text.trim();
    if (word === "up" || word === "down" || word === "unused") {
      nodes.push(word);
      continue;
    }
    if (word === "" && line.start + line.text.length + line.eol.length === text.length) break;
    const found = JSON.stringify(word.slice(0, 20));
    const message = `${found} is no status, so the ids after it can't be trusted`;
    const hint = "Each line is up, down or unused, in the order of the backend ids.";
    return { nodes, complaints: [{ file, line: line.number, column: 1, message, hint }] };
  }
  return { nodes, complaints: [] };
}
