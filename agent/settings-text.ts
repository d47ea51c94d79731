import type { AgentSettings } from "./settings.ts";

/** agent.yaml as `join` writes it: every part with what it means, values as JSON (which YAML reads). */
export function settingsText(settings: AgentSettings): string {
  const sections = explained.map(({ key, says }) => {
    const comment = says.map((line) => `# ${line}`).join("\n");
    return `${comment}\n${key}:${valueText(settings[key], 1)}`;
  });
  return `${heading}\n${sections.join("\n\n")}\n`;
}

const heading = `# castellan-agent on this host. Written by \`castellan-agent join\`; yours to edit, then restart the agent.
# The coordinator can neither read nor change this file: what is not allowed here is refused, whoever asks.
`;

const explained: readonly {
  readonly key: keyof AgentSettings;
  readonly says: readonly string[];
}[] = [
  { key: "node", says: ["This data node's name in the cluster, also its application_name."] },
  {
    key: "coordinator",
    says: [
      "Where the agent dials to. Only the holder of exactly this certificate is talked to;",
      "secretFile (mode 0600) is this agent's proof of who it is.",
    ],
  },
  {
    key: "stateDirectory",
    says: ["Commands, ledger, jobs, secrets and previous versions of files: mode 0700."],
  },
  { key: "product", says: ["kingbase-v8r3 or postgresql."] },
  {
    key: "paths",
    says: [
      "Where the data node's files are. root is KingbaseES's cluster folder, else null. configFile,",
      "hbaFile and identFile may lie outside the data directory (Debian).",
    ],
  },
  {
    key: "database",
    says: [
      "The agent's own SQL on this host: one connection. host is an address or the directory of the",
      "server's unix socket. The password: castellan-agent secret set database",
    ],
  },
  {
    key: "pool",
    says: [
      "The pool on this host, or null. The password of pcpUser: castellan-agent secret set pcp",
    ],
  },
  {
    key: "rootHelper",
    says: ["The words in front of castellan-root's verbs, or null where it is not installed."],
  },
  {
    key: "start",
    says: [
      "How the database is started: mode ctl (sys_ctl, pg_ctl), or mode unit with the site's own",
      "systemd unit.",
    ],
  },
  {
    key: "allow",
    says: [
      "What this host lets the agent do. paths: files, and directories with all below them, that may",
      "be written (tablespaces outside of them must be added). programs: directories whose programs",
      "may be run. verbs: kinds of commands that are carried out.",
    ],
  },
  {
    key: "guard",
    says: [
      "The agent's own rules (docs/guard.md). restart: which dead databases are started again when the",
      "guard is in charge: never, standbys, or all (a former primary too, as a standby). schedules: when",
      "checks run, as cron expressions with seconds; disk, trustAddresses and checks, the site's own:",
      "docs/checks.md. slots: when held back WAL is told, and when a slot that Castellan made is dropped for",
      "it, in bytes (docs/slots.md).",
    ],
  },
  { key: "limits", says: ["Milliseconds, bytes, counts."] },
];

/** Maps as blocks, one list item a line, everything else as JSON. */
function valueText(value: unknown, depth: number): string {
  const indent = "  ".repeat(depth);
  if (Array.isArray(value) && value.length > 0) {
    return value.map((item) => `\n${indent}- ${JSON.stringify(item)}`).join("");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.entries(value)
      .map(([key, inner]) => `\n${indent}${key}:${valueText(inner, depth + 1)}`)
      .join("");
  }
  return ` ${JSON.stringify(value)}`;
}
