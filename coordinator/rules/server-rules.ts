import type { SettingEntry } from "#shared/config-files/server-conf.ts";
import { splitLines } from "#shared/config-files/text-file.ts";
import { haAssignment, haText } from "#shared/config-files/ha-module.ts";
import { backends } from "#shared/config-files/pool-conf.ts";
import { isSameAddress } from "#shared/domain/addresses.ts";
import { inForce } from "./facts.ts";
import { at, configured, isAbsent } from "./places.ts";
import { type Finding, perFile, perNode, type Rule, together } from "./rule.ts";
import { type NodeView, type ReadFile, sound } from "./view.ts";

/** Settings of which a person must be sure which line counts. */
const clusterSettings = [
  "archive_command archive_mode hba_file hot_standby listen_addresses max_connections",
  "max_prepared_transactions max_replication_slots max_wal_senders port primary_conninfo",
  "primary_slot_name recovery_target_timeline synchronous_standby_names wal_level wal_log_hints",
].flatMap((line) => line.split(" "));

/** The server's own files: that they can be read, agree with their copies, and mean one thing. */
export const serverRules: readonly Rule[] = [
  {
    id: "file-parses",
    sentence: "Every configuration file can be read by the program that it is for",
    severity: "critical",
    needs: [],
    wanted: "no broken line",
    fix: "Correct that line: a reload refuses the file and goes on with the old settings, a restart may fail.",
    check: perFile<ReadFile>(
      (node) => [
        node.conf,
        ...node.included,
        node.autoConf,
        node.confTemplate,
        node.recovery,
        node.recoveryTemplate,
        node.hba,
        node.poolConf,
        node.poolHba,
      ],
      (file) => {
        const [first, ...others] = file.complaints;
        if (first === undefined) return [];
        const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
        return [
          {
            line: first.line,
            found: `${first.line}:${first.column}: ${first.message}${more}`,
            fix: first.hint,
          },
        ];
      },
    ),
  },
  {
    id: "conf-copies",
    sentence: "The server's file and its master copy say the same",
    severity: "warning",
    needs: ["vendor"],
    wanted: "two equal files, but for # before synchronous_standby_names",
    fix: "Make the change in both: the next recovery copies etc/ over data/, and what stands in data/ alone is lost.",
    check: perNode((node, { product: { vendor } }) => {
      const { conf, confTemplate } = node;
      const { root, configFile } = node.declared.paths;
      const isOne = [configFile, vendor?.confTemplate(root ?? "")].some((path) => isAbsent(node, path)); // prettier-ignore
      if (isOne) return [];
      if (conf === null || confTemplate === null) return null;
      const [ours, theirs] = [conf, confTemplate].map(({ text }) => splitLines(text).map(bare));
      const line = ours?.findIndex((text, i) => text !== theirs?.[i]) ?? -1;
      const differs = line !== -1 || ours?.length !== theirs?.length;
      if (!differs || ours === undefined || theirs === undefined) return [];
      const where = line === -1 ? ours.length : line;
      return [
        {
          ...at(conf, where + 1),
          found: `from line ${where + 1} on: ${quoted(ours[where])}, ${quoted(theirs[where])} in ${confTemplate.short}`,
        },
      ];
    }),
  },
  {
    id: "setting-once",
    sentence: "No setting of the cluster is set twice to different values in one file",
    severity: "warning",
    needs: [],
    wanted: "each setting once",
    fix: "Take the line out that is not meant: the last one counts.",
    check: together(
      perFile(
        (node) => [node.conf, ...node.included, node.confTemplate].map(sound),
        ({ content }) => twice(content.entries, clusterSettings),
      ),
      perFile(
        (node) => [sound(node.recovery), sound(node.recoveryTemplate)],
        ({ content }) => twice(content.conf.entries, clusterSettings),
      ),
      perFile(
        (node) => [sound(node.poolConf)],
        ({ content }) => twice(content.conf.entries, [...content.settings.keys()]),
      ),
    ),
  },
  {
    id: "ports-agree",
    sentence: "A node's port is the same in the server, HAmodule.conf and the pool",
    severity: "critical",
    needs: [],
    wanted: "the declared port",
    fix: "Correct the one that differs: the pool shows the node as down.",
    check: together(
      perNode((node) => {
        const port = inForce(node.facts, "port");
        if (port === null) return null;
        return port === String(node.declared.port)
          ? []
          : [{ key: "in force", ...portFound("port", port, node) }];
      }, "in force"),
      perNode((node) => {
        const place = configured(node, "port");
        if (place === null) return null;
        const port = place === "unset" ? null : place.entry.value;
        if (place === "unset" || port === String(node.declared.port)) return [];
        const where = at(place.file, place.entry.line);
        return [{ key: "configured", ...where, ...portFound("port", port ?? "", node) }];
      }, "configured"),
      perFile(
        (node) => node.haModules,
        (file, node) => {
          const port = haText(file.content, "KB_PORT");
          const line = haAssignment(file.content, "KB_PORT")?.line ?? null;
          if (port === null) return null;
          const right = port === String(node.declared.port);
          return right ? [] : [{ ...at(file, line), ...portFound("KB_PORT", port, node) }];
        },
      ),
      perFile(
        (node) => [sound(node.poolConf)],
        (file, _node, view) =>
          backends(file.content).flatMap((row): readonly Finding[] => {
            const node = view.nodes.find(({ declared }) =>
              isSameAddress(declared.address, row.hostname),
            );
            // On one host several nodes may share an address, and the row's number says which is meant.
            if (node === undefined || node.declared.backendId !== row.id) return [];
            const { port } = node.declared;
            if (row.port === null || row.port === port) return [];
            const key = `backend_port${row.id}`;
            const line = file.content.settings.get(key)?.line ?? null;
            return [{ key, ...at(file, line), ...portFound(key, String(row.port), node) }];
          }),
      ),
    ),
  },
  {
    id: "archive-works",
    sentence: "A server that archives has a command to do it with",
    severity: "warning",
    needs: [],
    wanted: "a command, a library or a destination",
    fix: "Set archive_command: until then all WAL is kept, and the disk fills.",
    check: perNode((node) => {
      const mode = inForce(node.facts, "archive_mode");
      if (mode === null) return null;
      if (mode === "off") return [];
      const means = ["archive_command", "archive_library", "archive_dest"].map(
        (name) => inForce(node.facts, name) ?? "",
      );
      return means.some((value) => value !== "" && value !== "(disabled)")
        ? []
        : [{ found: `archive_mode = ${mode}, and no command` }];
    }),
  },
  {
    id: "archive-everywhere",
    sentence: "Every node archives as the primary does",
    severity: "warning",
    needs: [],
    wanted: "the primary's archive_mode",
    fix: "Set archive_mode as on the primary (restart): after a failover the archive would have a gap.",
    check: perNode((node, { primary }) => {
      const theirs = inForce(primary?.facts ?? null, "archive_mode");
      const ours = inForce(node.facts, "archive_mode");
      if (theirs === null || ours === null) return null;
      if ((theirs === "off") === (ours === "off")) return [];
      return [{ found: `archive_mode = ${ours}, ${theirs} on ${primary?.name ?? "the primary"}` }];
    }),
  },
];

function portFound(
  what: string,
  port: string,
  node: NodeView,
): Pick<Finding, "found"> & { readonly wanted: string } {
  return { found: `${what} is ${port}`, wanted: String(node.declared.port) };
}

/** The vendor's scripts pile up and take away `#` before this one name. */
function bare({ text }: { readonly text: string }): string {
  return text.replace(/^[#\s]*(?=synchronous_standby_names\b)/i, "");
}

function quoted(line: string | undefined): string {
  return line === undefined
    ? "nothing"
    : `"${line.length > 120 ? `${line.slice(0, 120)}…` : line}"`;
}

function twice(entries: readonly SettingEntry[], names: readonly string[]): readonly Finding[] {
  const active = entries.filter(({ commentedOut }) => !commentedOut);
  return names.flatMap((name): readonly Finding[] => {
    const all = active.filter((entry) => entry.name === name);
    const last = all.at(-1);
    if (last === undefined || new Set(all.map(({ value }) => value)).size < 2) return [];
    const lines = all.map(({ line }) => line).join(", ");
    return [{ key: name, line: last.line, found: `${name} on lines ${lines}` }];
  });
}
