import * as z from "zod";
import { readSmallFile } from "../adapters/local-system.ts";
import { asciiJson, writePrivateFile } from "../adapters/private-file.ts";
import type { HostEvent } from "../host-event.ts";
import type { Ports } from "../ports.ts";

/** What keeps the watch from being as quick, as complete or as lasting as it should be. */
const troubles = {
  "not-told": {
    is: "The kernel does not tell of changes in some directories: the poll alone sees them",
    over: "The kernel tells of changes in every watched directory",
    fix: "Where it says ENOSPC or EMFILE, raise fs.inotify.max_user_watches or max_user_instances (sysctl).",
  },
  "no-answer": {
    is: "Part of this host's file systems does not answer: what lies there is told as it was last seen",
    over: "All file systems answer again",
    fix: "Look for a mount whose server or disk is gone (/proc/mounts, kernel log): bring it back, or unmount it (umount -f).",
  },
  "too-many-files": {
    is: "The server's configuration includes more files than are watched",
    over: "Every file that the server's configuration includes is watched",
    fix: "Raise limits.includedFiles in agent.yaml (900 at most) and restart the agent.",
  },
  "not-recorded": {
    is: "The state directory can't be written: after a restart of the agent diffs may be poorer and alerts stay open",
    over: "The state directory can be written again",
    fix: "Look for a full disk, or one that became read-only (kernel log).",
  },
} as const;
type WatchTrouble = keyof typeof troubles;
const OpenTroubles = z.array(z.enum(Object.keys(troubles) as readonly WatchTrouble[])); // keys of that very object

export type WatchTroubles = {
  /** One alert a trouble, told again when the evidence is another; without evidence it is over. */
  tell(trouble: WatchTrouble, evidence: readonly string[]): Promise<void>;
};

const mostEvidence = 10;

export async function createWatchTroubles(
  { settings, clock, log }: Pick<Ports, "settings" | "clock" | "log">,
  onHostEvent: (event: HostEvent) => void,
): Promise<WatchTroubles> {
  // What is open at the coordinator: else it would stay open over a restart that ends it.
  const file = `${settings.stateDirectory}/watch-troubles.json`;
  const open = new Map((await load(file)).map((trouble) => [trouble, ""]));
  return {
    tell: async (trouble, evidence) => {
      const { is, over, fix } = troubles[trouble];
      const detail = [...evidence.slice(0, mostEvidence), fix].join("\n");
      const event = { at: clock.now(), cause: `watch:${trouble}` };
      if (evidence.length === 0) {
        if (!open.delete(trouble)) return;
        onHostEvent({ ...event, kind: "guard-cleared", severity: "info", summary: over, detail: "" }); // prettier-ignore
      } else {
        if (open.get(trouble) === detail) return;
        open.set(trouble, detail);
        log.warn({ trouble, evidence }, is);
        onHostEvent({ ...event, kind: "guard-finding", severity: "warning", summary: is, detail });
      }
      // A disk that can't be written is itself such a trouble: it is told in any case.
      await writePrivateFile(file, asciiJson([...open.keys()])).catch(() => undefined);
    },
  };
}

async function load(file: string): Promise<readonly WatchTrouble[]> {
  try {
    return OpenTroubles.parse(JSON.parse((await readSmallFile(file)) ?? "[]"));
  } catch {
    return [];
  }
}
