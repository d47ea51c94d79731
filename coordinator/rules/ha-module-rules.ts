import {
  haAssignment,
  type HaAssignment,
  haArray,
  type HaModule,
  haText,
  shellText,
} from "#shared/config-files/ha-module.ts";
import { haModuleKey } from "#shared/config-files/ha-module-keys.ts";
import { bareAddress, isSameAddress, prefixOf } from "#shared/domain/addresses.ts";
import { difference, isAbsent, isLocal, tellDifference } from "./places.ts";
import { type Finding, forCluster, perFile, perNode, type Rule } from "./rule.ts";
import type { NodeView, ReadFile } from "./view.ts";

type Copy = ReadFile<HaModule>;
const copies = (node: NodeView): readonly Copy[] => node.haModules;

/** HAmodule.conf, from which every script of the vendor takes who and where it is. */
export const haModuleRules: readonly Rule[] = [
  {
    id: "kb-all-ip",
    sentence: "Every copy of HAmodule.conf names the address of every node",
    severity: "warning",
    needs: ["vendor"],
    wanted: "the declaration's addresses",
    fix: "Make KB_ALL_IP the same list in all copies: KB_ALL_IP=(a b c).",
    check: perFile(copies, (file, _node, view) =>
      listFindings(
        file,
        "KB_ALL_IP",
        view.nodes.map(({ declared }) => declared.address),
      ),
    ),
  },
  {
    id: "all-node-name",
    sentence: "Every copy of HAmodule.conf names every node",
    severity: "warning",
    needs: ["vendor"],
    wanted: "the declaration's node names",
    fix: "Make ALL_NODE_NAME the same list in all copies: ALL_NODE_NAME=(a b c).",
    check: perFile(copies, (file, _node, view) =>
      listFindings(
        file,
        "ALL_NODE_NAME",
        view.nodes.map(({ name }) => name),
      ),
    ),
  },
  {
    id: "node-order",
    sentence: "Every copy of HAmodule.conf names the nodes in the same order",
    severity: "warning",
    needs: ["vendor"],
    wanted: "one order: it is the priority of the synchronous standbys",
    fix: "Write ALL_NODE_NAME in one order in all copies.",
    check: forCluster((view) => {
      const lists = view.nodes.flatMap((node) =>
        node.haModules.flatMap((file) => {
          const names = haArray(file.content, "ALL_NODE_NAME");
          return names === null ? [] : [{ node, file, names }];
        }),
      );
      const [first, ...others] = lists;
      if (first === undefined || others.length === 0) return null;
      // Another set of names is for all-node-name to say.
      const other = others.find(
        ({ names }) =>
          difference(names, first.names) === null && names.join(" ") !== first.names.join(" "),
      );
      if (other === undefined) return [];
      return [
        {
          ...placeOf(other.file, "ALL_NODE_NAME"),
          found: `${first.node.name}: ${first.names.join(" ")}; ${other.node.name}: ${other.names.join(" ")}`,
        },
      ];
    }),
  },
  {
    id: "kb-localhost-ip",
    sentence: "KB_LOCALHOST_IP is the address of its own host",
    severity: "critical",
    needs: ["vendor"],
    wanted: "the node's own address",
    fix: "Correct it at once: by it a node takes itself for the primary, and the virtual address with it.",
    check: perFile(copies, (file, node, view) =>
      textFindings(file, "KB_LOCALHOST_IP", (value) =>
        isSameAddress(value, node.declared.address) && isLocal(node, value, view)
          ? null
          : { wanted: node.declared.address },
      ),
    ),
  },
  {
    id: "node-name",
    sentence: "NODE_NAME is the name of its own node",
    severity: "critical",
    needs: ["vendor"],
    wanted: "the node's name, which is its application_name too",
    fix: "Correct it: the scripts look the node up by it, and stop and rewind one that they do not find.",
    check: perFile(copies, (file, node) =>
      textFindings(file, "NODE_NAME", (value) =>
        value === node.name ? null : { wanted: node.name },
      ),
    ),
  },
  {
    id: "ha-module-paths",
    sentence: "HAmodule.conf names the directories of its own node",
    severity: "warning",
    needs: ["vendor"],
    wanted: "the declaration's directories",
    fix: "Correct the path, or paths in the declaration.",
    check: perFile(copies, (file, { declared: { paths } }) =>
      Object.entries({
        KB_DATA_PATH: paths.dataDirectory,
        KB_PATH: `${paths.root ?? ""}/db/bin`,
        KB_ETC_PATH: `${paths.root ?? ""}/db/etc`,
      }).flatMap(
        ([key, wanted]) =>
          textFindings(file, key, (value) =>
            value.replace(/\/+$/, "") === wanted ? null : { key, wanted },
          ) ?? [],
      ),
    ),
  },
  {
    id: "dev-interface",
    sentence: "DEV is the interface that carries the node's address",
    severity: "warning",
    needs: ["vendor"],
    wanted: "the interface of the node's address",
    fix: "Correct DEV: without it no virtual address can be added.",
    check: perFile(copies, (file, node, view) => {
      if (view.virtualAddresses.length === 0 || view.isOneHost) return null;
      const nic = nicOf(node);
      if (nic === null) return null;
      return textFindings(file, "DEV", (value) => (value === nic.nic ? null : { wanted: nic.nic }));
    }),
  },
  {
    id: "vip-mask",
    sentence: "The database's virtual address has the netmask of the interface",
    severity: "warning",
    needs: ["vendor"],
    wanted: "the prefix of the interface",
    fix: "Write one prefix: with another, connections leave with the virtual address as their source, and standbys are refused.",
    check: perFile(copies, (file, node, view) => {
      const nic = nicOf(node);
      if (view.isOneHost || nic === null || view.declaration.virtualAddresses.database === null) {
        return null;
      }
      return textFindings(file, "KB_VIP", (value) =>
        prefixOf(value) === nic.prefix ? null : { wanted: `${bareAddress(value)}/${nic.prefix}` },
      );
    }),
  },
  {
    id: "ha-module-pools",
    sentence: "KB_POOL_IP1 and KB_POOL_IP2 are the nodes that run the pool",
    severity: "warning",
    needs: ["vendor", "pool"],
    wanted: "the addresses of the management nodes",
    fix: "Correct them in all copies: the scripts start and stop pools there.",
    check: perFile(copies, (file, _node, view) => {
      const wanted = view.managers.map(({ declared }) => declared.address);
      return ["KB_POOL_IP1", "KB_POOL_IP2"].flatMap(
        (key) =>
          textFindings(file, key, (value) =>
            wanted.some((address) => isSameAddress(address, value))
              ? null
              : { key, wanted: `one of ${wanted.join(", ")}` },
          ) ?? [],
      );
    }),
  },
  {
    id: "ha-module-copies",
    sentence: "Both copies of HAmodule.conf on a node say the same",
    severity: "warning",
    needs: ["vendor", "pool"],
    wanted: "two equal copies",
    fix: "Copy db/etc/HAmodule.conf over the other: the pool's scripts read that one.",
    check: perNode((node, { product: { vendor } }) => {
      const [first, second] = node.haModules;
      const paths = vendor?.haModuleFiles(node.declared.paths, node.declared.pool) ?? [];
      if (paths.length < 2 || paths.some((path) => isAbsent(node, path))) return [];
      if (first === undefined || second === undefined) return null;
      const keys = new Set(
        [first, second].flatMap(({ content }) => content.assignments.map(({ name }) => name)),
      );
      const differing = [...keys].filter((key) => valueText(first, key) !== valueText(second, key));
      if (differing.length === 0) return [];
      return [
        {
          ...placeOf(second, differing[0] ?? ""),
          found: `${differing.join(", ")} ${differing.length > 1 ? "differ" : "differs"}`,
        },
      ];
    }),
  },
  {
    id: "ha-module-last-line",
    sentence: "HAmodule.conf ends with a newline",
    severity: "warning",
    needs: ["vendor"],
    wanted: "a newline at the end",
    fix: "End the file with a newline: the scripts ignore the last line without one.",
    check: perFile(copies, (file) => {
      const last = file.content.lines.at(-1);
      if (last === undefined || last.eol !== "" || /^\s*(?:#|$)/.test(last.text)) return [];
      return [{ line: last.number, found: `line ${last.number} has no newline and is ignored` }];
    }),
  },
  {
    id: "ha-module-hash",
    sentence: "No value in HAmodule.conf holds a #",
    severity: "warning",
    needs: ["vendor"],
    wanted: "no # in a value",
    fix: "Take another value: the scripts drop everything from the first # on, even inside quotes.",
    check: perFile(copies, (file) =>
      file.content.lines.flatMap((line): readonly Finding[] => {
        const key = cutKey(shellText(line));
        if (key === null) return [];
        return [{ key, line: line.number, found: `${key} is cut at its #` }];
      }),
    ),
  },
  {
    id: "ha-module-list",
    sentence: "The lists in HAmodule.conf are arrays",
    severity: "critical",
    needs: ["vendor"],
    wanted: "KEY=(a b c)",
    fix: "Write KEY=(a b c), without quotes around it: as text the scripts take it for one node.",
    check: perFile(copies, (file) =>
      [...haModuleKey.values()]
        .filter(({ kind }) => kind === "array")
        .flatMap(({ name }): readonly Finding[] => {
          const found = haAssignment(file.content, name);
          if (found?.value.kind !== "text") return [];
          return [
            { key: name, line: found.line, found: `${name} is the text "${found.value.text}"` },
          ];
        }),
    ),
  },
  {
    id: "ha-module-literal",
    sentence: "Every line of HAmodule.conf can be read without running it",
    severity: "critical",
    needs: ["vendor"],
    wanted: 'KEY="value", KEY=number or KEY=(a b c)',
    fix: "Write a plain value: the vendor's scripts run this file as root.",
    check: perFile(copies, (file) => {
      const otherwiseTold = new Set([
        ...file.content.assignments
          .filter(({ name, value }) => value.kind === "text" && isList(name))
          .map(({ line }) => line),
        ...file.content.lines
          .filter((line) => line.eol === "" || cutKey(shellText(line)) !== null)
          .map(({ number }) => number),
      ]);
      const [first, ...others] = file.complaints.filter(({ line }) => !otherwiseTold.has(line));
      if (first === undefined) return [];
      const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
      return [
        { line: first.line, found: `${first.line}:${first.column}: ${first.message}${more}` },
      ];
    }),
  },
  {
    id: "ha-module-once",
    sentence: "No key of HAmodule.conf is set twice to different values",
    severity: "warning",
    needs: ["vendor"],
    wanted: "each key once",
    fix: "Take the line out that is not meant: the last one counts.",
    check: perFile(copies, (file) => {
      const keys = new Set(file.content.assignments.map(({ name }) => name));
      return [...keys].flatMap((key): readonly Finding[] => {
        const all = file.content.assignments.filter(({ name }) => name === key);
        const values = new Set(all.map((assignment) => rawOf(file, assignment)));
        const last = all.at(-1);
        if (values.size < 2 || last === undefined) return [];
        const lines = all.map(({ line }) => line).join(", ");
        return [{ key, line: last.line, found: `${key} on lines ${lines}` }];
      });
    }),
  },
];

function listFindings(
  file: Copy,
  key: string,
  wanted: readonly string[],
): readonly Finding[] | null {
  const assignment = haAssignment(file.content, key);
  if (assignment === null) return [{ found: `${key} is not set`, wanted: wanted.join(" ") }];
  // A text or an expansion is for the rules about the form to say.
  if (assignment.value.kind !== "array") return null;
  const other = difference(assignment.value.values, wanted);
  if (other === null) return [];
  return [
    { line: assignment.line, found: `${key} ${tellDifference(other)}`, wanted: wanted.join(" ") },
  ];
}

/** `judge` answers null for a right value. */
export function textFindings(
  file: Copy,
  key: string,
  judge: (value: string) => Partial<Finding> | null,
): readonly Finding[] | null {
  const assignment = haAssignment(file.content, key);
  if (assignment !== null && assignment.value.kind !== "text") return null;
  const value = haText(file.content, key) ?? "";
  const verdict = judge(value);
  if (verdict === null) return [];
  const found = value === "" ? `${key} is not set` : `${key} is ${value}`;
  return [{ found, ...(assignment === null ? {} : { line: assignment.line }), ...verdict }];
}

function placeOf(file: Copy, key: string): Pick<Finding, "file" | "line"> {
  const line = haAssignment(file.content, key)?.line;
  return { file: file.path, ...(line === undefined ? {} : { line }) };
}

function valueText(file: Copy, key: string): string | null {
  const assignment = haAssignment(file.content, key);
  return assignment === null ? null : rawOf(file, assignment);
}

function rawOf(file: Copy, { value, valueStart, valueEnd }: HaAssignment): string {
  if (value.kind === "text") return value.text;
  if (value.kind === "array") return `(${value.values.join(" ")})`;
  return file.text.slice(valueStart, valueEnd);
}

/** The key whose value a `#` cuts: one with no blank before it is no comment. */
function cutKey(line: string): string | null {
  const match = /^\s*([A-Za-z_][A-Za-z0-9_]*)=([^#]*)#/.exec(line);
  const value = match?.[2] ?? "";
  if (match === null) return null;
  const isOpen = [`"`, "'"].some((quote) => value.split(quote).length % 2 === 0);
  return isOpen || /[^\s]$/.test(value) ? (match[1] ?? null) : null;
}

function isList(name: string): boolean {
  return haModuleKey.get(name)?.kind === "array";
}

function nicOf(node: NodeView): { readonly nic: string; readonly prefix: number } | null {
  const rows = node.facts?.host.addresses ?? [];
  return rows.find((row) => isSameAddress(row.address, node.declared.address)) ?? null;
}
