import type { HbaConf, HbaRule } from "#shared/config-files/hba.ts";
import { parseIp } from "#shared/config-files/ip-address.ts";
import { isIgnoredPasswordFile } from "#shared/config-files/password-file.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { refusedForReplication } from "./evaluators.ts";
import { at } from "./places.ts";
import { type Finding, perFile, type Rule } from "./rule.ts";
import { type ClusterView, type ReadFile, shortName, sound } from "./view.ts";

/** Who may come in, and who may read what. */
export const accessRules: readonly Rule[] = [
  {
    id: "hba-trust-world",
    sentence: "Nobody is let in from everywhere without a password",
    severity: "critical",
    needs: [],
    wanted: "no trust for 0.0.0.0/0, ::/0 or all",
    fix: "Ask for a password there, or name the addresses that may come in, and reload.",
    check: perFile(
      (node) => [node.hba, node.poolHba],
      (file) => openTo(file, ["trust"]),
    ),
  },
  {
    id: "hba-open-world",
    sentence: "The servers' hba files name the networks that may come in",
    severity: "info",
    needs: [],
    isOneAlert: true,
    wanted: "no md5 or password line for 0.0.0.0/0, ::/0 or all",
    fix: "Add lines for the nodes, pools and clients by their addresses, then take that line out and reload.",
    check: perFile(
      (node) => [node.hba],
      (file) => openTo(file, ["md5", "password"]),
    ),
  },
  {
    id: "hba-nodes",
    sentence: "Every node lets every other node in for replication",
    severity: "critical",
    needs: [],
    wanted: "a replication line for every node",
    fix: "Add that line and reload: after a failover to this node the other one could not stream from it.",
    check: perFile(
      (node) => [sound(node.hba)],
      (file, node, view) =>
        refusals(file, view, [
          ...new Set(
            view.nodes
              .filter(({ name }) => name !== node.name)
              .map(({ declared }) => (view.isOneHost ? "127.0.0.1" : declared.address)),
          ),
        ]),
    ),
  },
  {
    id: "hba-virtual-addresses",
    sentence: "Every node lets the virtual addresses in for replication",
    severity: "warning",
    needs: [],
    isOneAlert: true,
    wanted: "a replication line for every virtual address",
    fix: "Add that line and reload: a connection may leave with the virtual address as its source.",
    check: perFile(
      (node) => [sound(node.hba)],
      (file, _node, view) =>
        view.isOneHost ? null : refusals(file, view, [...new Set(view.virtualAddresses)]),
    ),
  },
  {
    id: "well-known-password",
    sentence: "No password is one that everybody knows",
    severity: "warning",
    needs: [],
    isOneAlert: true,
    wanted: "passwords of the site's own",
    fix: "Change it in the database or pool and in every file that holds it, on all nodes.",
    check: perWatchedFile((file, short) => {
      const lines = (file.notes ?? []).filter(({ code }) => code === "well-known-password");
      const [first] = lines;
      if (first === undefined) return [];
      const where = lines.map(({ line }) => line).join(", ");
      return [{ line: first.line, found: `${short} has a well-known password on line ${where}` }];
    }),
  },
  {
    id: "secret-file-mode",
    sentence: "No file that holds a password can be read by everybody",
    severity: "warning",
    needs: [],
    isOneAlert: true,
    wanted: "mode 0600, or 0640 for the group that needs it",
    fix: "Take the right to read from others.",
    check: perWatchedFile((file, short) => {
      const isIgnored = isIgnoredPasswordFile(file);
      const isForAll =
        file.mode !== null &&
        (file.mode & 0o004) !== 0 &&
        file.maskedText?.includes("[secret") === true;
      if (file.mode === null || (!isIgnored && !isForAll)) return [];
      const mode = file.mode.toString(8).padStart(4, "0");
      const fix = `chmod ${isIgnored ? "0600" : "o-rwx"} ${file.path}`;
      return [{ found: `${short} has mode ${mode}`, fix }];
    }),
  },
];

/** Whatever is watched and can be read, with the name that its breaches go by. */
function perWatchedFile(
  judge: (file: FileFacts, short: string) => readonly Finding[],
): Rule["check"] {
  return ({ nodes }) =>
    nodes.flatMap((node) =>
      (node.facts?.files ?? [])
        .filter(({ state }) => state === "present")
        .map((file) => {
          const part = shortName(node.declared, file.path);
          const found = judge(file, part).map((f) => ({ ...f, key: part, file: file.path }));
          return { node: node.name, part, findings: found };
        }),
    );
}

function openTo(file: ReadFile<HbaConf>, methods: readonly string[]): readonly Finding[] {
  const [first, ...others] = file.content.rules.filter(
    (rule) => isWorld(rule) && methods.includes(rule.method),
  );
  if (first === undefined) return [];
  const more =
    others.length === 0 ? "" : `, also line ${others.map(({ line }) => line).join(", ")}`;
  const text = file.content.lines[first.line - 1]?.text.trim().replace(/\s+/g, " ") ?? "";
  return [{ ...at(file, first.line), found: `line ${first.line}: ${text}${more}` }];
}

function isWorld({ type, address }: HbaRule): boolean {
  if (type === "local" || address === null) return false;
  return address.kind === "all" || (address.kind === "range" && address.mask === 0n);
}

function refusals(
  file: ReadFile<HbaConf>,
  view: ClusterView,
  addresses: readonly string[],
): readonly Finding[] {
  const user = view.declaration.database.replicationUser;
  const numeric = addresses.filter((address) => parseIp(address) !== null);
  const options = { caseRule: caseRuleOf(view) };
  return refusedForReplication(file.content, user, numeric, options).map(({ address, line }) => ({
    key: address,
    ...at(file, line),
    found: line === null ? `no line for ${address}` : `line ${line} rejects ${address}`,
    wanted: `host replication ${user} ${address}/${address.includes(":") ? 128 : 32} md5`,
  }));
}

/** The vendor's server folds names to upper case. */
function caseRuleOf({ product }: ClusterView): "exact" | "upper-fold" {
  return product.vendor === null ? "exact" : "upper-fold";
}
