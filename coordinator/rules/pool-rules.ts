import { haAssignment, haText } from "#shared/config-files/ha-module.ts";
import {
  backends,
  poolFlag,
  poolNumber,
  type PoolConf,
  poolText,
} from "#shared/config-files/pool-conf.ts";
import { failoverExecutor, poolSettings } from "#shared/config-files/pool-settings.ts";
import { bareAddress, isSameAddress } from "#shared/domain/addresses.ts";
import { poolConnections } from "./evaluators.ts";
import { textFindings } from "./ha-module-rules.ts";
import { at, difference, isAbsent, tellDifference } from "./places.ts";
import { type Finding, forCluster, perFile, perNode, type Rule, together } from "./rule.ts";
import { type ClusterView, type NodeView, type ReadFile, sound } from "./view.ts";

const conf = (node: NodeView): readonly (ReadFile<PoolConf> | null)[] => [sound(node.poolConf)];

/** The pools: agreeing with each other, with the cluster and with HAmodule.conf, and not failing over for nothing. */
export const poolRules: readonly Rule[] = [
  {
    id: "backend-rows-equal",
    sentence: "All pools have the same backend rows in their files",
    severity: "critical",
    needs: ["pool"],
    wanted: "the same row under the same number",
    fix: "Make them equal: numbers are used for every pcp command and are passed between the pools.",
    check: forCluster((view) => {
      const files = readable(view, ({ poolConf }) => sound(poolConf));
      const [first, ...others] = files;
      if (first === undefined || others.length === 0) return null;
      const print = (file: ReadFile<PoolConf>): readonly string[] =>
        backends(file.content).map(
          ({ id, hostname, port, weight, dataDirectory, flag }) =>
            `${id} ${hostname}:${port ?? "?"} weight ${weight} ${dataDirectory ?? ""} ${flag ?? ""}`,
        );
      const ours = print(first.file);
      for (const other of others) {
        const theirs = difference(print(other.file), ours);
        if (theirs === null) continue;
        return [
          {
            file: other.file.path,
            found: `${first.node.name}: ${theirs.missing.join(", ") || "no such row"}; ${other.node.name}: ${theirs.extra.join(", ") || "no such row"}`,
          },
        ];
      }
      return [];
    }),
  },
  {
    id: "backend-rows-declared",
    sentence: "Every node has its declared number in the pools' files",
    severity: "critical",
    needs: ["pool"],
    wanted: "backend_hostnameN is the address of the node with backend N",
    fix: "Put the numbers back: rows are never renumbered, the pool's status file and every pcp command go by them.",
    check: perFile(conf, (file, _node, view) =>
      view.nodes.flatMap(({ name, declared }): readonly Finding[] => {
        const { backendId, address } = declared;
        if (backendId === null) return [];
        const row = backends(file.content).find(({ id }) => id === backendId);
        if (row !== undefined && isSameAddress(row.hostname, address)) return [];
        const key = `backend_hostname${backendId}`;
        const line = file.content.settings.get(key)?.line ?? null;
        return [
          {
            key,
            ...at(file, line),
            found: row === undefined ? `no ${key} (${name})` : `${key} is ${row.hostname}`,
            wanted: `${key} = '${address}' (${name})`,
          },
        ];
      }),
    ),
  },
  {
    id: "backend-rows-loaded",
    sentence: "A running pool means by a number what its file says",
    severity: "critical",
    needs: ["pool"],
    wanted: "the row as the pool has loaded it",
    fix: "Put the row back as it was: a change of an existing row counts from the pool's restart on, and then for another node.",
    check: perFile(conf, (file, node) => {
      const rows = node.facts?.poolRows ?? [];
      if (rows.length === 0) return null;
      return backends(file.content).flatMap((row): readonly Finding[] => {
        const loaded = rows.find(({ id }) => id === row.id);
        if (loaded === undefined || loaded.hostname === "") return [];
        const isSame =
          isSameAddress(loaded.hostname, row.hostname) &&
          (row.port === null || row.port === loaded.port);
        if (isSame) return [];
        const key = `backend_hostname${row.id}`;
        const line = file.content.settings.get(key)?.line ?? null;
        return [
          {
            key,
            ...at(file, line),
            found: `${row.id} is ${row.hostname}:${row.port ?? "?"} in the file, ${loaded.hostname}:${loaded.port} in the pool`,
          },
        ];
      });
    }),
  },
  {
    id: "backend-errors",
    sentence: "One broken connection to a backend is no failover",
    severity: "warning",
    needs: ["pool"],
    wanted: "failover_on_backend_error = off",
    fix: "Set it off and reload: health checks are enough, and a restart of a node would detach it at once.",
    check: perFile(conf, (file) =>
      flagFindings(file, ["failover_on_backend_error", "fail_over_on_backend_error"]),
    ),
  },
  {
    id: "failover-executor",
    sentence: "One executor is in charge of a lost primary, the same on all pools",
    severity: "critical",
    needs: ["pool"],
    wanted:
      "castellan-failover in failover_command of every pool, or the same other script, or none",
    fix: "Make failover_command the same everywhere and reload: of two executors each promotes whom it takes for the best.",
    check: forCluster((view) => {
      const files = readable(view, ({ poolConf }) => sound(poolConf));
      const inCharge = files.map(({ node, file }) => ({
        file,
        says: `${node.name}: ${failoverExecutor(poolText(file.content, "failover_command"))}`,
        executor: failoverExecutor(poolText(file.content, "failover_command")),
      }));
      const [first, ...others] = inCharge;
      if (first === undefined || others.length === 0) return null;
      const other = others.find(({ executor }) => executor !== first.executor);
      return other === undefined
        ? []
        : [{ file: other.file.path, found: inCharge.map(({ says }) => says).join(", ") }];
    }),
  },
  {
    id: "auto-failback",
    sentence: "The pool attaches no node by itself",
    severity: "warning",
    needs: ["pool"],
    wanted: "auto_failback = off",
    fix: "Set auto_failback = off and reload: it attaches when nobody holds the door, and each attach ends sessions.",
    check: perFile(conf, (file) => flagFindings(file, ["auto_failback"])),
  },
  {
    id: "pool-connections",
    sentence: "Every node has connections for every pool session",
    severity: "warning",
    needs: ["pool"],
    wanted: "num_init_children × max_pool below max_connections",
    fix: "Lower max_pool, or raise max_connections everywhere.",
    check: perFile(conf, (file, _node, view) => {
      const children = poolNumber(file.content, "num_init_children");
      const pool = poolNumber(file.content, "max_pool");
      const running = view.nodes.filter(({ facts }) => facts?.database.status === "running");
      return running.flatMap((node): readonly Finding[] => {
        const settings = node.facts?.database.settings ?? {};
        const room = poolConnections(children, pool, settings);
        if (room === null || room.fits) return [];
        const line = file.content.settings.get("num_init_children")?.line ?? null;
        return [{ key: node.name, ...at(file, line), found: `${node.name}: ${room.found}` }];
      });
    }),
  },
  {
    id: "pool-users",
    sentence: "All pools know the same users",
    severity: "warning",
    needs: ["pool"],
    wanted: "one list of users in the pools' password files",
    fix: "Copy the entry: without it that pool refuses a user whom the database accepts.",
    check: forCluster((view) => {
      const files = readable(view, ({ poolUsers }) => poolUsers);
      const [first, ...others] = files;
      if (first === undefined || others.length === 0) return null;
      for (const other of others) {
        const users = difference(other.file.content, first.file.content);
        if (users === null) continue;
        return [
          {
            file: other.file.path,
            found: `${other.node.name}: ${tellDifference(users)}, against ${first.node.name}`,
          },
        ];
      }
      return [];
    }),
  },
  {
    id: "pool-check-passwords",
    sentence: "The pool's own logins have their passwords in its configuration file",
    severity: "warning",
    needs: ["pool"],
    isOneAlert: true,
    wanted: "health_check_password and sr_check_password set",
    fix: "Write that user's password there and reload: pgpool 4 looks an empty one up in its password file, where of two processes that read at once one finds none, and takes a healthy node for down.",
    check: perFile(conf, (file, { poolUsers }) => {
      if (file.content.settings.get("pool_passwd")?.value === "") return [];
      if (poolUsers === null) return null;
      return lookedUp(file.content, poolUsers.content).map(({ name, user }) => ({
        key: name,
        ...at(file, file.content.settings.get(name)?.line ?? null),
        found: `${name} is empty, and ${user} stands in ${poolUsers.short}`,
      }));
    }),
  },
  {
    id: "trust-addresses",
    sentence: "Pools and scripts ask the declared trust addresses",
    severity: "warning",
    needs: [],
    wanted: "the declaration's trustAddresses",
    fix: "Write one list, separated by commas without blanks: whoever finds all of them silent stops what it looks after.",
    check: together(
      perFile(
        (node) => node.haModules,
        (file, _node, view) => {
          const wanted = view.declaration.trustAddresses;
          if (wanted.length === 0) return null;
          return textFindings(file, "KB_GATEWAY_IP", (value) => listVerdict(value, wanted));
        },
      ),
      perFile(conf, (file, _node, view) => {
        const wanted = view.declaration.trustAddresses;
        // Without any the pool asks nobody, which is a choice of its own.
        const value = poolSettings(file.content).watchdog.trustedServers.join(",");
        if (wanted.length === 0) return null;
        if (value === "" || listVerdict(value, wanted) === null) return [];
        const line = file.content.settings.get("trusted_servers")?.line ?? null;
        return [
          { ...at(file, line), found: `trusted_servers is ${value}`, wanted: wanted.join(",") },
        ];
      }),
    ),
  },
  {
    id: "virtual-addresses",
    sentence: "Pools and scripts have the declared virtual addresses",
    severity: "critical",
    needs: ["pool"],
    wanted: "the declaration's virtualAddresses",
    fix: "Correct it everywhere, or in the declaration: two addresses would be carried around.",
    check: together(
      perFile(
        (node) => node.haModules,
        (file, _node, { declaration: { virtualAddresses } }) =>
          Object.entries({
            KB_VIP: virtualAddresses.database,
            KB_POOL_VIP: virtualAddresses.pool,
          }).flatMap(([key, vip]): readonly Finding[] => {
            const value = haText(file.content, key);
            if (vip === null || value === null) return [];
            if (isSameAddress(bareAddress(value), bareAddress(vip))) return [];
            const line = haAssignment(file.content, key)?.line ?? null;
            const wanted = `${key}="${vip}"`;
            return [{ key, ...at(file, line), found: `${key} is ${value || "not set"}`, wanted }];
          }),
      ),
      perFile(conf, (file, _node, { declaration: { virtualAddresses } }) => {
        const { enabled, delegateIp } = poolSettings(file.content).watchdog;
        if (!enabled || virtualAddresses.pool === null || delegateIp === null) return [];
        const wanted = bareAddress(virtualAddresses.pool);
        if (isSameAddress(bareAddress(delegateIp), wanted)) return [];
        const line = file.content.settings.get("delegate_ip")?.line ?? null;
        return [{ ...at(file, line), found: `delegate_IP is ${delegateIp}`, wanted }];
      }),
    ),
  },
  {
    id: "watchdog-names",
    sentence: "Each pool's watchdog has its own host's address, and the other's as the other",
    severity: "critical",
    needs: ["vendor", "pool"],
    wanted: "wd_hostname = the node's own address",
    fix: "Correct it: these lines differ between the two pools, and a copied file has them the wrong way round.",
    check: perFile(conf, (file, node, view) => {
      const own = poolText(file.content, "wd_hostname");
      const { others } = poolSettings(file.content).watchdog;
      const { address } = node.declared;
      const line = (name: string): number | null => file.content.settings.get(name)?.line ?? null;
      const isWrongOther = (host: string): boolean =>
        isSameAddress(host, address) ||
        !view.managers.some(({ declared }) => isSameAddress(declared.address, host));
      const wrong = others.find(({ hostname }) => isWrongOther(hostname));
      return [
        ...(own === null || isSameAddress(own, address)
          ? []
          : [
              {
                key: "wd_hostname",
                ...at(file, line("wd_hostname")),
                found: `wd_hostname is ${own}`,
                wanted: address,
              },
            ]),
        ...(wrong === undefined
          ? []
          : [
              {
                key: "other",
                ...at(file, line(`other_kingbasecluster_hostname${wrong.id ?? 0}`)),
                found: `the other pool is ${wrong.hostname}`,
                wanted: "the other management node's address",
              },
            ]),
      ];
    }),
  },
];

/** The vendor's cron lines. */
export const cronRules: readonly Rule[] = [
  {
    id: "vendor-cron-active",
    sentence: "No vendor check runs where the agent is in charge",
    severity: "critical",
    needs: ["vendor"],
    wanted: "its cron lines commented out",
    fix: "castellan guard takeover CLUSTER comments it again (the guard holds still until then); castellan guard handback CLUSTER leaves all to the vendor's checks.",
    check: perNode((node, { product: { vendor } }) => {
      const { cron, facts } = node;
      if (isAbsent(node, vendor?.cronFile)) return [];
      if (cron === null) return null;
      if (facts?.guardMode !== "enforce") return [];
      const active = Object.values(cron.content.vendor)
        .flatMap(({ lines }) => lines)
        .filter(({ hashes }) => hashes === 0);
      return active.map(({ line, command }) => ({
        key: command.slice(command.lastIndexOf("/") + 1),
        ...at(cron, line),
        found: `${command} runs by cron`,
      }));
    }),
  },
  {
    id: "vendor-cron-lines",
    sentence: "The vendor's cron lines are as its scripts expect them",
    severity: "warning",
    needs: ["vendor"],
    wanted: "each line once, and a newline at the end",
    fix: "Take one of the two lines out: with both the vendor's scripts refuse to work.",
    check: perNode((node, { product: { vendor } }) => {
      const { cron } = node;
      if (isAbsent(node, vendor?.cronFile)) return [];
      if (cron === null) return null;
      const [first] = cron.complaints;
      const broken: readonly Finding[] =
        first === undefined
          ? []
          : [{ key: "newline", ...at(cron, first.line), found: first.message, fix: first.hint }];
      const double = Object.entries(cron.content.vendor).flatMap(
        ([job, { state, lines }]): readonly Finding[] =>
          state === "duplicate"
            ? [{ key: job, ...at(cron, lines.at(-1)?.line ?? null), found: `${job} twice` }]
            : [],
      );
      return [...broken, ...double];
    }),
  },
];

function readable<T>(
  { managers }: ClusterView,
  pick: (node: NodeView) => ReadFile<T> | null,
): readonly { readonly node: NodeView; readonly file: ReadFile<T> }[] {
  return managers.flatMap((node) => {
    const file = pick(node);
    return file === null ? [] : [{ node, file }];
  });
}

/** Passwords that the pool takes from its password file, each with the user whose it is. */
function lookedUp(
  pool: PoolConf,
  users: readonly string[],
): readonly { readonly name: string; readonly user: string }[] {
  // pgpool docs, health check: a name with a backend's number goes before the plain one.
  const ofBackend = (name: string, id: number): string | null =>
    poolText(pool, `${name}${id}`) ?? poolText(pool, name);
  const health = backends(pool)
    .filter(({ id }) => Number(ofBackend("health_check_period", id)) > 0)
    .map(({ id }) => ({
      name: "health_check_password",
      user: ofBackend("health_check_user", id),
      password: ofBackend("health_check_password", id),
    }));
  const streaming = {
    name: "sr_check_password",
    user: poolNumber(pool, "sr_check_period") === 0 ? null : poolText(pool, "sr_check_user"),
    password: poolText(pool, "sr_check_password"),
  };
  const found = [...health, streaming].flatMap(({ name, user, password }) =>
    password === null && user !== null && users.includes(user) ? [{ name, user }] : [],
  );
  return found.filter(({ name }, i) => found.findIndex((one) => one.name === name) === i);
}

function flagFindings(file: ReadFile<PoolConf>, names: readonly string[]): readonly Finding[] {
  return names
    .filter((name) => poolFlag(file.content, name) === true)
    .slice(0, 1)
    .map((name) => ({
      ...at(file, file.content.settings.get(name)?.line ?? null),
      found: `${name} = on`,
    }));
}

function listVerdict(value: string, wanted: readonly string[]): { readonly wanted: string } | null {
  const found = value.split(",").map((item) => item.trim());
  const isEqual = difference(found, wanted) === null;
  return isEqual ? null : { wanted: wanted.join(",") };
}
