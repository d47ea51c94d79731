import { parseIp } from "#shared/config-files/ip-address.ts";
import { isSameAddress } from "#shared/domain/addresses.ts";
import { hasSyncName, parseSyncList } from "#shared/domain/sync-list.ts";
import { haText } from "#shared/config-files/ha-module.ts";
import { hotStandbySettings, lessThanPrimary, rewindMeans } from "./evaluators.ts";
import { inForce } from "./facts.ts";
import { textFindings } from "./ha-module-rules.ts";
import {
  at,
  autoEntry,
  configured,
  isLocal,
  isVirtual,
  standbyPlaces,
  type StandbyPlace,
  written,
} from "./places.ts";
import { type Finding, type Judgement, perFile, perNode, type Rule, together } from "./rule.ts";
import type { ClusterView, NodeView } from "./view.ts";

/** Who streams from whom, under which name, through which slot, and what a failover needs. */
export const replicationRules: readonly Rule[] = [
  {
    id: "application-name",
    sentence: "A standby streams, or will stream, under its node's name",
    severity: "critical",
    needs: [],
    wanted: "application_name = the node's name",
    fix: "Set application_name in primary_conninfo: every check looks the node up by it.",
    check: perPlace("primary_conninfo", (place, node) => {
      const conninfo = place.settings.primaryConninfo;
      if (conninfo === null) return [];
      const name = conninfo.values.get("application_name");
      if (name === node.name) return [];
      return [
        {
          ...place.where("primary_conninfo"),
          found: name === undefined ? "no application_name" : `application_name is ${name}`,
          wanted: `application_name=${node.name}`,
        },
      ];
    }),
  },
  {
    id: "own-slot",
    sentence: "A standby streams, or will stream, through its own slot",
    severity: "critical",
    needs: [],
    wanted: "primary_slot_name = the node's slot",
    fix: "Set primary_slot_name: without it WAL may be recycled too early, with another's that node is shut out.",
    check: perPlace("primary_slot_name", (place, node) => {
      const slot = place.settings.primarySlotName;
      if (slot === node.declared.slot) return [];
      if (place.settings.primaryConninfo === null) return [];
      return [
        {
          ...place.where("primary_slot_name"),
          found: slot === null ? "no primary_slot_name" : `primary_slot_name is ${slot}`,
          wanted: node.declared.slot,
        },
      ];
    }),
  },
  {
    id: "upstream-not-self",
    sentence: "No standby follows itself or a virtual address",
    severity: "critical",
    needs: [],
    wanted: "the own address of another node",
    fix: "Name the upstream's own address as host: a virtual one can become this node's.",
    check: perPlace("primary_conninfo", (place, node, view) =>
      hostsOf(place).flatMap((host): readonly Finding[] => {
        const what = isVirtual(view, host)
          ? "a virtual address"
          : isLocal(node, host, view)
            ? "this node itself"
            : null;
        if (what === null) return [];
        const where = place.where("primary_conninfo");
        return [{ ...where, found: `host is ${host}, ${what}` }];
      }),
    ),
  },
  {
    id: "upstream-declared",
    sentence: "A standby follows a node of its own cluster, on that node's port",
    severity: "warning",
    needs: [],
    wanted: "address and port of a declared node",
    fix: "Correct host and port in primary_conninfo.",
    check: perPlace("primary_conninfo", (place, node, view) =>
      hostsOf(place).flatMap((host): readonly Finding[] => {
        // Said by upstream-not-self; a name may mean any address.
        if (parseIp(host) === null || isVirtual(view, host)) return [];
        const upstream = view.nodes.find(({ declared }) => isSameAddress(declared.address, host));
        const port = place.settings.primaryConninfo?.values.get("port") ?? null;
        if (upstream === undefined && isLocal(node, host, view)) return [];
        if (upstream !== undefined && (port ?? "") === String(upstream.declared.port)) return [];
        if (upstream !== undefined && port === null) return [];
        const where = place.where("primary_conninfo");
        const to = `${host}${port === null ? "" : `:${port}`}`;
        return [
          {
            ...where,
            found: upstream === undefined ? `${to} is no declared node` : `${to} is not its port`,
            ...(upstream === undefined ? {} : { wanted: `port=${upstream.declared.port}` }),
          },
        ];
      }),
    ),
  },
  {
    id: "timeline-latest",
    sentence: "A standby follows its upstream over a promotion",
    severity: "warning",
    needs: [],
    wanted: "recovery_target_timeline = 'latest'",
    fix: "Set recovery_target_timeline = 'latest': without it the node can't follow a promoted one.",
    check: together(
      perPlace("recovery_target_timeline", (place) => {
        const value = place.settings.recoveryTargetTimeline;
        if (value === "latest" || (value === null && !place.isRecoveryConf)) return [];
        return [
          {
            ...place.where("recovery_target_timeline"),
            found: value === null ? "no recovery_target_timeline" : `it is ${value}`,
          },
        ];
      }),
      perNode((node) => {
        const value = inForce(node.facts, "recovery_target_timeline");
        if (node.facts?.database.role !== "standby" || value === null) return null;
        return value === "latest" ? [] : [{ key: "in force", found: `it is '${value}'` }];
      }, "in force"),
    ),
  },
  {
    id: "recovery-addresses",
    sentence: "The recovery files name no other address than their upstream's",
    severity: "warning",
    needs: ["vendor"],
    wanted: "one address, the host's",
    fix: "Take the other address out, or write a name: a recovery puts the primary's address in the place of every one.",
    check: perPlace("primary_conninfo", (place) => {
      if (!place.isRecoveryConf) return null;
      const hosts = hostsOf(place);
      const literals = place.file.text.match(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g) ?? [];
      const others = [...new Set(literals)].filter((literal) => !hosts.includes(literal));
      return others.length === 0 ? [] : [{ found: `also ${others.join(", ")}` }];
    }),
  },
  {
    id: "slots-everywhere",
    sentence: "Every node has a slot for every other node",
    severity: "warning",
    needs: [],
    wanted: "the slots of all other nodes",
    fix: "Make it there: after a failover to this node the other one could not stream from it.",
    check: perNode((node, view) => {
      const database = node.facts?.database;
      if (database?.status !== "running") return null;
      return view.nodes
        .filter(({ name }) => name !== node.name)
        .map(({ declared }) => declared.slot)
        .filter((slot) => !database.slots.includes(slot))
        .filter((slot) => node.facts?.droppedSlots.includes(slot) !== true)
        .map((slot) => ({
          key: slot,
          found: `no slot ${slot}`,
          fix: createSlotSql(view, node, slot),
        }));
    }),
  },
  {
    id: "replication-room",
    sentence: "Every node has room for the slots and WAL senders of all others",
    severity: "warning",
    needs: [],
    wanted: "a slot for every other node, and two WAL senders more than that",
    fix: "Raise it on that node with its next restart.",
    check: perNode((node, view) => {
      const others = view.nodes.length - 1;
      const least = { max_replication_slots: others, max_wal_senders: others + 2 };
      const found = Object.entries(least).flatMap(([name, wanted]) => {
        const value = inForce(node.facts, name);
        return value === null ? [] : [{ name, value: Number(value), wanted }];
      });
      if (found.length === 0) return null;
      return found
        .filter(({ value, wanted }) => value < wanted)
        .map(({ name, value, wanted }) => ({
          key: name,
          found: `${name} = ${value}`,
          wanted: `${wanted} or more`,
        }));
    }),
  },
  {
    id: "hot-standby-settings",
    sentence: "No standby has less than its primary where it must not, in force or in its files",
    severity: "critical",
    needs: [],
    wanted: "at least the primary's value",
    fix: "Raise it on the standby (restart of that standby) before the primary: with less it does not start.",
    check: perNode((node, view) => {
      const { primary } = view;
      if (primary === null || node === primary || node.facts?.database.role !== "standby") {
        return null;
      }
      if (node.facts.database.status !== "running") return null;
      const version = node.facts.database.versionNumber ?? 0;
      const theirs = primary.facts?.database.settings ?? {};
      const running = lessThanPrimary(theirs, node.facts.database.settings, version);
      const after = lessThanPrimary(
        { ...theirs, ...inFiles(primary, version) },
        { ...node.facts.database.settings, ...inFiles(node, version) },
        version,
      );
      return hotStandbySettings(version).flatMap((name): readonly Finding[] => {
        const now = running.find((less) => less.name === name);
        const less = now ?? after.find((other) => other.name === name);
        if (less === undefined) return [];
        const when = now === undefined ? " in the files" : "";
        const place = configured(node, name);
        return [
          {
            key: name,
            ...(place === null || place === "unset" ? {} : at(place.file, place.entry.line)),
            found: `${name} ${less.ours}${when}, ${less.theirs} on ${primary.name}`,
            wanted: `${name} = ${less.theirs} or more`,
          },
        ];
      });
    }),
  },
  {
    id: "rewind-possible",
    sentence: "A former primary can be rewound",
    severity: "warning",
    needs: [],
    wanted: "wal_log_hints = on, or checksums",
    fix: "Set wal_log_hints = on with the next restart.",
    check: perNode(({ facts }) => {
      if (facts?.database.status !== "running") return null;
      const means = rewindMeans(facts.database.settings);
      if (means === null) return null;
      return means === "neither" ? [{ found: "wal_log_hints = off, and no checksums" }] : [];
    }),
  },
  {
    id: "sync-flag",
    sentence: "SYNC_FLAG says what the primary does",
    severity: "warning",
    needs: ["vendor"],
    wanted: "1 with a list of synchronous standbys, 0 without",
    fix: "Make them agree: each attach by the vendor's script sets the list by the flag.",
    check: perFile(
      (node) => node.haModules,
      (file, _node, view) => {
        const list = inForce(view.primary?.facts ?? null, "synchronous_standby_names");
        if (list === null || haText(file.content, "SYNC_FLAG") === null) return null;
        const wanted = parseSyncList(list).kind === "none" ? "0" : "1";
        return textFindings(file, "SYNC_FLAG", (value) =>
          (value === "1") === (wanted === "1")
            ? null
            : {
                found: `SYNC_FLAG=${value}, synchronous_standby_names = '${list}'`,
                wanted: `SYNC_FLAG=${wanted}, or another list`,
              },
        );
      },
    ),
  },
  {
    id: "sync-list-overruled",
    sentence: "The server's file and ALTER SYSTEM agree on whether commits wait",
    severity: "warning",
    needs: [],
    wanted: "a list in both, or in neither",
    fix: "Make the line in the configuration file what ALTER SYSTEM has set, or reset that.",
    check: perNode((node) => {
      const name = "synchronous_standby_names";
      const conf = written(node, name);
      const auto = autoEntry(node, name);
      if (conf === null || auto === null) return null;
      if (conf === "unset" || auto === "unset") return [];
      const kinds = [conf, auto].map(({ entry }) => parseSyncList(entry.value).kind === "none");
      if (kinds[0] === kinds[1]) return [];
      return [
        {
          ...at(conf.file, conf.entry.line),
          found: `'${conf.entry.value}', overruled by '${auto.entry.value}' in ${auto.file.short}`,
        },
      ];
    }),
  },
  {
    id: "sync-list-names",
    sentence: "Whoever the primary waits for is a node of the cluster",
    severity: "critical",
    needs: [],
    wanted: "names of declared nodes, a standby among them",
    fix: "Correct synchronous_standby_names: commits wait for a name that never comes.",
    check: perNode((node, view) => {
      const value = inForce(node.facts, "synchronous_standby_names");
      if (node !== view.primary || value === null) return null;
      const list = parseSyncList(value);
      if (list.kind === "broken") return [{ found: `'${value}' is no list` }];
      if (list.kind !== "list") return [];
      const known = view.nodes.filter(({ name }) => hasSyncName(list, name));
      const strangers = list.names.filter(
        (listed) => !view.nodes.some(({ name }) => name.toLowerCase() === listed.toLowerCase()),
      );
      if (strangers.length > 0) return [{ found: `'${value}' names ${strangers.join(", ")}` }];
      if (known.some((named) => named !== node)) return [];
      return [{ found: `'${value}' names no standby` }];
    }),
  },
];

/** Every place that has the settings of a standby, by its file, where it is known what it says of this one. */
function perPlace(
  name: string,
  judge: (place: StandbyPlace, node: NodeView, view: ClusterView) => readonly Finding[] | null,
): Rule["check"] {
  return (view) =>
    view.nodes.flatMap((node) => {
      const isKnown = ["primary_conninfo", name].every((one) => configured(node, one) !== null);
      const places = standbyPlaces(node).filter((place) => isKnown || place.isRecoveryConf);
      const judged = places.flatMap((place): readonly Judgement[] => {
        const findings = judge(place, node, view);
        if (findings === null) return [];
        const part = place.file.short;
        const keyed = findings.map((found) => ({ file: place.file.path, ...found, key: part }));
        return [{ node: node.name, part, findings: keyed.slice(0, 1) }];
      });
      // The server's own files say nothing any more, or say it in the other one.
      const files = isKnown ? [node.conf, ...node.included, node.autoConf] : [];
      const own = files.flatMap((file) => file?.short ?? []);
      return [...judged, ...own.map((part) => ({ node: node.name, part, findings: [] }))];
    });
}

function hostsOf({ settings }: StandbyPlace): readonly string[] {
  const values = settings.primaryConninfo?.values;
  return [values?.get("host"), values?.get("hostaddr")]
    .flatMap((hosts) => hosts?.split(",") ?? [])
    .map((host) => host.trim())
    .filter((host) => host !== "" && !host.startsWith("/"));
}

function inFiles(node: NodeView, version: number): Readonly<Record<string, string>> {
  return Object.fromEntries(
    hotStandbySettings(version).flatMap((name) => {
      const place = configured(node, name);
      return place === null || place === "unset" ? [] : [[name, place.entry.value] as const];
    }),
  );
}

function createSlotSql({ product }: ClusterView, node: NodeView, slot: string): string {
  const sql = product.dialect(node.facts?.database.versionNumber ?? 0).createSlot;
  return `On ${node.name}: ${sql.replace("$1", `'${slot}'`).replace("$2", "false")}`;
}
