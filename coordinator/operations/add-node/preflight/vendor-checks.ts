import { parseCron } from "#shared/config-files/cron-lines.ts";
import { haArray, type HaModule, haText, parseHaModule } from "#shared/config-files/ha-module.ts";
import { parsePoolConf, poolText } from "#shared/config-files/pool-conf.ts";
import { parseSyncList } from "#shared/domain/sync-list.ts";
import { isMasked } from "../plan/ha-module-model.ts";
import { type KnownNode, setting, type Situation, textAt } from "../situation.ts";
import { hasActiveVendorLine } from "../vendor.ts";
import { type Check, fail, nameOf, pass, type Verdict, warn } from "./check.ts";

const isVendors = (s: Situation): boolean => s.product.vendor !== null;

/** The vendor's scripts and their files: who acts, and what they would make of the new node. */
export const vendorChecks: readonly Check[] = [
  {
    id: "ssh-trust",
    title: "The vendor's scripts can reach the new host by ssh, where they are in charge",
    wanted: "a login without a password from every management node",
    applies: (s) => isVendors(s) && actingScripts(s).length > 0,
    evaluate: (s) => sshVerdicts(s),
  },
  {
    id: "vendor-cron-newcomer",
    title: "No vendor check runs on the new host yet",
    wanted: "no active line in its cron file",
    applies: (s) => isVendors(s) && s.newcomer.facts !== null,
    evaluate: (s) => {
      const { vendor } = s.product;
      if (vendor === null) return [];
      const name = nameOf(s.newcomer);
      if (!hasActiveVendorLine(s.newcomer, vendor)) return pass(name, "none");
      return fail(
        name,
        `${vendor.cronFile} has an active line`,
        `Comment it out: with half-made files its first run would rewind or stop this node, or take the virtual address.`,
      );
    },
  },
  {
    id: "vendor-cron-lines",
    title: "The vendor's cron lines are as its scripts expect them",
    wanted: "each line once",
    applies: isVendors,
    evaluate: (s) => {
      const file = s.product.vendor?.cronFile ?? "";
      return s.existing.flatMap((node): readonly Verdict[] => {
        const text = textAt(node.facts, file);
        if (text === null) return [];
        const { vendor, complaints } = parseCron(text, file);
        const double = Object.entries(vendor).filter(([, { state }]) => state === "duplicate");
        if (double.length > 0) {
          const found = double.map(([job]) => `${job} twice`).join(", ");
          return [
            warn(
              nameOf(node),
              found,
              `Take one out of ${file}: with two the vendor's scripts refuse to work.`,
            ),
          ];
        }
        const [first] = complaints;
        if (first !== undefined)
          return [warn(nameOf(node), `${file}:${first.line}: ${first.message}`, first.hint)];
        return [pass(nameOf(node), file)];
      });
    },
  },
  {
    id: "ha-module-readable",
    title: "Every copy of HAmodule.conf can be read without running it",
    wanted: "literal values, a newline at the end",
    applies: isVendors,
    evaluate: (s) =>
      copies(s).flatMap(({ node, path, module }): readonly Verdict[] => {
        if (module === null) {
          return node.facts === null
            ? []
            : [
                fail(
                  nameOf(node),
                  `${path} can't be read by the agent`,
                  "Correct root in its agent.yaml and in the declaration.",
                ),
              ];
        }
        const lists = ["KB_ALL_IP", "ALL_NODE_NAME"].filter((key) => haArray(module, key) === null);
        const [first] = module.complaints;
        if (lists.length > 0) {
          const found = `${path}: ${lists.join(" and ")} ${lists.length > 1 ? "are no lists" : "is no list"}`;
          return [fail(nameOf(node), found, "Write KEY=(a b c), without quotes.")];
        }
        if (first === undefined) return [pass(nameOf(node), path)];
        return [
          warn(nameOf(node), `${path}:${first.line}:${first.column}: ${first.message}`, first.hint),
        ];
      }),
  },
  {
    id: "ha-module-equal",
    title: "All copies of HAmodule.conf name the same nodes",
    wanted: "the declaration's addresses and names",
    applies: isVendors,
    evaluate: (s) => {
      const addresses = s.existing.map(({ declared }) => declared.address);
      const names = s.existing.map(({ declared }) => declared.name);
      return copies(s).flatMap(({ node, path, module }): readonly Verdict[] => {
        if (module === null) return [];
        const found = [
          ...(haArray(module, "KB_ALL_IP") ?? []),
          ...(haArray(module, "ALL_NODE_NAME") ?? []),
        ];
        const missing = [...addresses, ...names].filter((item) => !found.includes(item));
        const extra = found.filter(
          (item) =>
            ![...addresses, ...names, s.newcomer.declared.address, nameOf(s.newcomer)].includes(
              item,
            ),
        );
        if (missing.length === 0 && extra.length === 0) return [pass(nameOf(node), path)];
        const text = [
          ...(missing.length > 0 ? [`without ${missing.join(", ")}`] : []),
          ...(extra.length > 0 ? [`with ${extra.join(", ")}`] : []),
        ].join(", ");
        return [
          warn(
            nameOf(node),
            `${path} ${text}`,
            "Make all copies equal; only KB_LOCALHOST_IP, NODE_NAME and DEV belong to one node.",
          ),
        ];
      });
    },
  },
  {
    id: "ha-module-own",
    title: "Every HAmodule.conf has its own node's values",
    wanted: "KB_LOCALHOST_IP, NODE_NAME and DEV of its own node",
    applies: isVendors,
    evaluate: (s) =>
      copies(s).flatMap(({ node, path, module }): readonly Verdict[] => {
        if (module === null) return [];
        const { address, name } = node.declared;
        const wrong = [
          ...(haText(module, "KB_LOCALHOST_IP") === address
            ? []
            : [`KB_LOCALHOST_IP is ${haText(module, "KB_LOCALHOST_IP") ?? "not set"}`]),
          ...(haText(module, "NODE_NAME") === name
            ? []
            : [`NODE_NAME is ${haText(module, "NODE_NAME") ?? "not set"}`]),
          ...((haText(module, "DEV") ?? "") === ""
            ? ["DEV is not set: no virtual address can be added"]
            : []),
        ];
        if (wrong.length === 0) return [pass(nameOf(node), path)];
        return [
          warn(
            nameOf(node),
            `${path}: ${wrong.join("; ")}`,
            `Correct it: the scripts of ${name} act as another node.`,
          ),
        ];
      }),
  },
  {
    id: "ha-module-login",
    title: "The scripts' database role is the one whose password the host has",
    wanted: "KB_USER = cluster.database.maintenanceUser",
    applies: isVendors,
    evaluate: (s) => {
      const module = copies(s).find(({ node }) => node === s.like)?.module ?? null;
      const user = module === null ? null : haText(module, "KB_USER");
      const ours = s.declaration.database.maintenanceUser;
      if (user === null) return [];
      if (user === ours) return pass(nameOf(s.newcomer), user);
      return warn(
        nameOf(s.newcomer),
        `KB_USER is ${user}, maintenanceUser is ${ours}`,
        `The new node's file names ${ours}, whose password is the secret "database". To keep ${user}, declare it as maintenanceUser and set its password on every host.`,
      );
    },
  },
  {
    id: "ha-module-secrets",
    title: "Every password in HAmodule.conf has a secret to be written from",
    wanted: "KB_PASS and PCP_PASS only",
    applies: isVendors,
    evaluate: (s) => {
      const module = copies(s).find(({ node }) => node === s.like)?.module ?? null;
      if (module === null) return [];
      const others = module.assignments.filter(
        ({ name, value }) =>
          value.kind === "text" &&
          isMasked(value.text) &&
          name !== "KB_PASS" &&
          name !== "PCP_PASS",
      );
      if (others.length === 0) return pass(nameOf(s.newcomer), "KB_PASS, PCP_PASS");
      const keys = [...new Set(others.map(({ name }) => name))].join(", ");
      return warn(
        nameOf(s.newcomer),
        `also ${keys}`,
        "They are left out of the new node's file: add them there by hand.",
      );
    },
  },
  {
    id: "ha-module-port",
    title: "Ports agree in the server, HAmodule.conf and the pool",
    wanted: "KB_PORT = the nodes' port",
    applies: isVendors,
    evaluate: (s) =>
      copies(s).flatMap(({ node, path, module }): readonly Verdict[] => {
        const port = module === null ? null : haText(module, "KB_PORT");
        if (port === null) return [];
        if (port === String(node.declared.port)) return [pass(nameOf(node), port)];
        return [
          fail(
            nameOf(node),
            `${path}: KB_PORT is ${port}`,
            "Correct it: the pool would show the node as down.",
            String(node.declared.port),
          ),
        ];
      }),
  },
  {
    id: "sync-flag",
    title: "SYNC_FLAG says what the primary does",
    wanted: "1 with a list of synchronous standbys, 0 without",
    applies: (s) => isVendors(s) && s.primary !== null,
    evaluate: (s) => {
      const value = setting(s.primary, "synchronous_standby_names") ?? "";
      const isSynchronous = parseSyncList(value).kind !== "none";
      return copies(s).flatMap(({ node, path, module }): readonly Verdict[] => {
        const flag = module === null ? null : haText(module, "SYNC_FLAG");
        if (flag === null || (flag === "1") === isSynchronous) return [];
        const found = `${path}: SYNC_FLAG=${flag}, synchronous_standby_names = '${value}'`;
        return [
          warn(
            nameOf(node),
            found,
            "Make them agree: each attach by the vendor's script sets the list from the flag.",
          ),
        ];
      });
    },
  },
];

type Copy = { readonly node: KnownNode; readonly path: string; readonly module: HaModule | null };

function copies(s: Situation): readonly Copy[] {
  const { vendor } = s.product;
  if (vendor === null) return [];
  return s.existing.flatMap((node) =>
    vendor.haModuleFiles(node.declared.paths, node.declared.pool).map((path) => {
      const text = textAt(node.facts, path);
      return { node, path, module: text === null ? null : parseHaModule(text, path) };
    }),
  );
}

/** What of the vendor's would act on the new node over ssh. */
function actingScripts(s: Situation): readonly string[] {
  const commands = s.managers.flatMap((manager) => {
    const text = textAt(manager.facts, manager.declared.pool?.configFile ?? "");
    return text === null ? [] : (poolText(parsePoolConf(text), "failover_command") ?? []);
  });
  return [
    ...(commands.some((command) => command.includes("failover_stream.sh"))
      ? ["failover_stream.sh"]
      : []),
    ...(s.vendorInCharge ? ["kingbase_monitor.sh"] : []),
  ];
}

function sshVerdicts(s: Situation): readonly Verdict[] {
  const name = nameOf(s.newcomer);
  const scripts = actingScripts(s).join(" and ");
  return s.managers.flatMap((manager): readonly Verdict[] => {
    const answers = s.probes.reachToNewcomer.get(nameOf(manager))?.answer?.ssh ?? [];
    const closed = answers.filter(({ ok }) => !ok);
    if (closed.length === 0) {
      return answers.length === 0
        ? []
        : [pass(nameOf(manager), answers.map(({ user }) => user).join(", "))];
    }
    const who = closed.map(({ user, host, message }) => `${user}@${host}: ${message}`).join("; ");
    const found =
      `${scripts} in charge, and ssh does not work (${who}). ` +
      `They can't promote ${name}, and their start script takes an unreachable node for a second primary.`;
    const fix =
      `Set up ssh keys from ${nameOf(manager)} to ${name}, take the cluster over from the scripts, ` +
      "or repeat with --accept-not-promotable: it is added with a standing alert.";
    return [
      s.request.acceptNotPromotable
        ? warn(nameOf(manager), found, fix)
        : fail(nameOf(manager), found, fix),
    ];
  });
}
