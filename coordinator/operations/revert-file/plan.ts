import type { FileFormat } from "#shared/domain/facts.ts";
import type { LoadedCluster } from "../../ports.ts";
import { baselineSide, diffLines } from "../../drift/describe-drift.ts";
import { shownHash, type WatchedFileState } from "../../drift/file-states.ts";
import type { Plan } from "../plan.ts";

const anyState = { systemIdentifier: null, role: null, timeline: null };

/** One file of one node back to what was accepted; the bytes never leave that host. */
export function planRevertFile(cluster: LoadedCluster, state: WatchedFileState): Plan {
  const { baseline, current } = state;
  const { node, path } = baseline;
  const { format } = current;
  return {
    declaration: cluster.declaration,
    declarationHash: cluster.hash,
    checks: [],
    forecast: null,
    steps: [
      {
        id: `restore-file/${node}`,
        phase: "restore",
        title: titleOf(state),
        preview: [...diffLines(path, current, baselineSide(baseline)), afterwards(format)],
        on: node,
        kind: "restore-file",
        args: {
          path,
          format,
          from: current.hash,
          to: { hash: baseline.hash, mode: baseline.mode, owner: baseline.owner },
        },
        preconditions: anyState,
      },
    ],
    notes: [
      `What comes back was accepted by ${baseline.acceptedBy}, ${new Date(baseline.acceptedAt).toISOString()}.`,
      "What stands there now is kept on that host, and comes back with an abort of the operation.",
    ],
    digest: shownHash(state),
  };
}

function titleOf({ baseline, current }: WatchedFileState): string {
  if (baseline.hash === null) return `Remove ${current.path} on ${current.node}`;
  return current.state === "absent"
    ? `Make ${current.path} on ${current.node} again, as accepted`
    : `Put ${current.path} on ${current.node} back to what is accepted`;
}

function afterwards(format: FileFormat): string {
  switch (format) {
    case "server-conf":
    case "auto-conf":
      return "then the server is told to reload; what waits for a restart after that is named";
    case "hba":
    case "ident":
      return "then the server is told to reload";
    case "pool-conf":
    case "pool-hba":
    case "pool-passwd":
      return "then the pool is told to reload; settings that only a start reads wait for one";
    case "recovery-conf":
    case "signal":
      return "the server reads it at its next start: nothing is restarted";
    case "pcp-conf":
      return "the pool reads it at its next start: nothing is restarted";
    case "ha-module":
    case "cron":
    case "pass":
      return "whoever uses it reads it the next time";
  }
}
