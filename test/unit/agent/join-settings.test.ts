import { expect, test } from "vitest";
import { createCommandLine, type Actions, type JoinFlags } from "#agent/command-line.ts";
import { joinInput } from "#agent/join-input.ts";
import { joinSettings } from "#agent/join-settings.ts";
import { parseSettings } from "#agent/load-settings.ts";
import { AgentSettings } from "#agent/settings.ts";
import { settingsText } from "#agent/settings-text.ts";
import { productOf } from "#shared/products/product.ts";

const line = ["--coordinator", "10.0.0.5:7443", "--node", "srv159", "--token", "t".repeat(20)];
const pin = ["--fingerprint", "ab".repeat(32)];

async function parse(...more: string[]): Promise<JoinFlags> {
  let said: JoinFlags | null = null;
  const none = async (): Promise<void> => undefined;
  const actions: Actions = {
    run: none,
    fence: none,
    join: async (flags) => {
      said = flags;
    },
    uninstall: none,
    setSecret: none,
    listSecrets: none,
    version: () => undefined,
  };
  const program = createCommandLine(actions).configureOutput({ writeErr: () => undefined });
  for (const command of program.commands) {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  await program.parseAsync(["node", "castellan-agent", "join", ...line, ...pin, ...more]);
  if (said === null) throw new Error("join was not called");
  return said;
}

const home = "/home/me";
const settingsOf = async (...more: string[]): Promise<AgentSettings> =>
  joinSettings(joinInput(await parse(...more), home, () => null));

test("the pasted line alone gives a KingbaseES node's settings, below its default root", async () => {
  const settings = await settingsOf();
  expect(settings).toMatchObject({
    node: "srv159",
    coordinator: { url: "wss://10.0.0.5:7443/agent" },
    product: "kingbase-v8r3",
    database: { port: 54_321, name: "TEST", user: "SUPERMANAGER_V8ADMIN" },
    pool: null,
    start: { mode: "ctl" },
  });
  expect(AgentSettings.safeParse(settings).success).toBe(true);
});

test("a KingbaseES management node: the pool beside the database, all below the root", async () => {
  const root = "/home/kingbase/cluster/ESHA";
  const settings = await settingsOf("--root", root, "--pool", "kingbasecluster");
  expect(settings.paths.dataDirectory).toBe(`${root}/db/data`);
  expect(settings.pool).toMatchObject({
    kind: "kingbasecluster",
    configFile: `${root}/kingbasecluster/etc/kingbasecluster.conf`,
    haModuleFile: `${root}/kingbasecluster/etc/HAmodule.conf`,
    binDirectory: `${root}/kingbasecluster/bin`,
    pcpUser: "kingbase",
  });
  expect(settings.allow.paths).toEqual(expect.arrayContaining([root, "/dev/shm/KB_RECOVERY_FLAG"]));
  expect(settings.allow.programs).toContain(`${root}/kingbasecluster/bin`);
});

test("a PostgreSQL node with its files outside the data directory may write beside them too, and nowhere else", async () => {
  const place = "--product postgresql --data-dir /srv/pg/main/ --port 5433";
  const outside = "--server-config /etc/pg/postgresql.conf --hba-file /etc/pg/pg_hba.conf";
  const more = "--ident-file /etc/pg/pg_ident.conf --start unit:postgresql@15-main.service";
  const allow = "--allow-path /srv/tablespaces --allow-path /srv/more";
  const helper = "sudo -n /usr/bin/node /usr/local/lib/castellan/castellan-root.mjs";
  const words = [place, outside, more, allow].join(" ").split(" ");
  const settings = await settingsOf(...words, "--root-helper", helper);
  expect(settings.allow.paths).toEqual([
    "/srv/pg/main",
    "/srv/pg/main.castellan-copy",
    "/srv/pg/main.castellan-copy.castellan.json",
    "/srv/pg/main.castellan-old",
    "/etc/pg",
    "/home/me/.pgpass",
    "/srv/tablespaces",
    "/srv/more",
  ]);
  expect(settings.start).toEqual({ mode: "unit", unit: "postgresql@15-main.service" });
  expect(settings.rootHelper).toEqual([
    "sudo",
    "-n",
    "/usr/bin/node",
    "/usr/local/lib/castellan/castellan-root.mjs",
  ]);
});

test.each([
  ["kingbase-v8r3", "kingbasecluster"],
  ["postgresql", "pgpool"],
] as const)(
  "of %s with %s every watched file may be put back, but root's",
  async (product, pool) => {
    const { allow, paths, pool: place } = await settingsOf("--product", product, "--pool", pool);
    const watched = productOf(product).watchedFiles(paths, place, home);
    const isAllowed = ({ path }: { readonly path: string }): boolean =>
      allow.paths.some((allowed) => path === allowed || path.startsWith(`${allowed}/`));
    expect(watched.filter((file) => !isAllowed(file)).map(({ path }) => path)).toEqual(
      product === "kingbase-v8r3" ? ["/etc/cron.d/KINGBASECRON", "/etc/crontab"] : [],
    );
  },
);

test("of a pool what its own configuration says is taken, unless an option says otherwise", async () => {
  const conf = "port = 9998\npcp_port = 9897\nunix_socket_directories = '/run/a, /run/b'\n";
  const flags = await parse("--product", "postgresql", "--pool", "pgpool", "--pcp-port", "9000");
  const { pool } = joinSettings(joinInput(flags, home, () => conf));
  expect(pool).toMatchObject({ port: 9998, pcpPort: 9000, socketDirectory: "/run/a" });
});

test.each([
  ["a relative path", ["--data-dir", "data"]],
  ["a path with dots", ["--data-dir", "/a/../b"]],
  ["a port that is none", ["--port", "70000"]],
  ["a unit that is none", ["--start", "unit:evil; reboot"]],
  ["a coordinator without a port", ["--coordinator", "host"]],
  ["a short fingerprint", ["--fingerprint", "abcd"]],
  ["an unknown product", ["--product", "oracle"]],
  ["an unknown option", ["--shell", "id"]],
])("%s is refused with a usage message", async (_, args) => {
  await expect(parse(...args)).rejects.toMatchObject({ name: "CommanderError" });
});

test("an IPv6 coordinator is dialled by its bracketed address", async () => {
  const settings = await settingsOf("--coordinator", "[fd00::5]:7443");
  expect(settings.coordinator.url).toBe("wss://[fd00::5]:7443/agent");
});

test("what join writes as agent.yaml is read back as the same settings", async () => {
  for (const more of [
    [],
    ["--product", "postgresql", "--pool", "pgpool", "--node", "pg-1"],
    ["--root-helper", "sudo -n x", "--start", "unit:a@b.service", "--database-host", "/run/pg"],
  ]) {
    const settings = await settingsOf(...more);
    expect(parseSettings(settingsText(settings), "agent.yaml").settings).toEqual(settings);
  }
});
