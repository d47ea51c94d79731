import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";

type Product = "postgresql" | "kingbase-v8r3";
type Layout = "plain" | "debian";

/** Which server, in which shape. "kingbase-v8r3" is an emulation (see kingbase/README.md). */
export type LaneOptions = {
  readonly product: Product;
  /**
   * Server major: 15 when not given, 10 behind KingbaseES' names (15 there for what only its programs can do). Client
   * tools are always those of 15.
   */
  readonly version?: 10 | 15 | 18;
  /** "debian" is what pg_createcluster makes: configuration outside the data directory (15 only). */
  readonly layout?: Layout;
};

/** Where a node's files are, as its host sees them. */
export type NodePaths = {
  /** Folder of the whole cluster: <root> of KingbaseES, the parent of the data directory otherwise. */
  readonly root: string;
  readonly binDir: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly hbaFile: string;
  readonly identFile: string;
  readonly pidFile: string;
  readonly socketDir: string;
  /** Output of the server (`-l` of pg_ctl). */
  readonly logFile: string;
  /** What starts and stops the server: pg_ctl or sys_ctl. */
  readonly control: string;
};

/** One kind of server under test: names, places and habits that the cluster builder needs. */
export type Lane = {
  readonly product: Product;
  readonly major: number;
  readonly layout: Layout;
  readonly defaultPort: number;
  readonly osUser: string;
  readonly superuser: string;
  readonly replicationUser: string;
  /** The application's database. */
  readonly database: string;
  /** recovery.conf before 12, standby.signal after (PostgreSQL docs, release notes of 12). */
  readonly usesRecoveryConf: boolean;
  paths(host: Host, cluster: string): NodePaths;
  /** The server's own bin folder: initdb, pg_ctl, postgres. */
  serverBin(host: Host): string;
};

export const clientBin = "/usr/lib/postgresql/15/bin";

export function chooseLane(lab: Lab, options: LaneOptions): Lane {
  if (options.product === "kingbase-v8r3") return kingbase(lab, options.version ?? 10);
  const major = options.version ?? 15;
  const layout = options.layout ?? "plain";
  if (layout === "debian" && (major !== 15 || lab.mode === "loopback")) {
    throw new Error("the debian layout is there for PostgreSQL 15 in namespaces only");
  }
  return {
    product: "postgresql",
    major,
    layout,
    defaultPort: 5432,
    osUser: lab.osUser("postgres"),
    superuser: "postgres",
    replicationUser: "replicator",
    database: "app",
    usesRecoveryConf: major < 12,
    serverBin: (host) => (major === 15 ? clientBin : `${host.nativePostgres(major)}/bin`),
    paths: (host, cluster) =>
      layout === "debian" ? debianPaths() : plainPaths(host, cluster, major),
  };
}

function kingbase(lab: Lab, major: 10 | 15 | 18): Lane {
  if (major === 18) throw new Error("KingbaseES' names stand before PostgreSQL 10 or 15");
  return {
    product: "kingbase-v8r3",
    major,
    layout: "plain",
    defaultPort: 54321,
    osUser: lab.osUser("kingbase"),
    superuser: "SYSTEM",
    replicationUser: "SYSTEM",
    database: "TEST",
    usesRecoveryConf: true,
    serverBin: (host) => (major === 15 ? clientBin : `${host.nativePostgres(major)}/bin`),
    paths: (host, cluster) => {
      const root = `${host.root}/home/kingbase/cluster/${cluster}`;
      const dataDir = `${root}/db/data`;
      return {
        root,
        binDir: `${root}/db/bin`,
        dataDir,
        configFile: `${dataDir}/kingbase.conf`,
        hbaFile: `${dataDir}/sys_hba.conf`,
        identFile: `${dataDir}/sys_ident.conf`,
        pidFile: `${dataDir}/kingbase.pid`,
        socketDir: `${host.root}/tmp`,
        logFile: `${root}/logfile`,
        control: `${root}/db/bin/sys_ctl`,
      };
    },
  };
}

function plainPaths(host: Host, cluster: string, major: 10 | 15 | 18): NodePaths {
  const root = `${host.root}/var/lib/postgresql/${cluster}`;
  const dataDir = `${root}/data`;
  const binDir = major === 15 ? clientBin : `${host.root}/opt/pgsql-${major}/bin`;
  return {
    root,
    binDir,
    dataDir,
    configFile: `${dataDir}/postgresql.conf`,
    hbaFile: `${dataDir}/pg_hba.conf`,
    identFile: `${dataDir}/pg_ident.conf`,
    pidFile: `${dataDir}/postmaster.pid`,
    socketDir: `${host.root}/run/postgresql`,
    logFile: `${root}/server.log`,
    control: `${binDir}/pg_ctl`,
  };
}

function debianPaths(): NodePaths {
  const dataDir = "/var/lib/postgresql/15/main";
  const config = "/etc/postgresql/15/main";
  return {
    root: "/var/lib/postgresql/15",
    binDir: clientBin,
    dataDir,
    configFile: `${config}/postgresql.conf`,
    hbaFile: `${config}/pg_hba.conf`,
    identFile: `${config}/pg_ident.conf`,
    pidFile: `${dataDir}/postmaster.pid`,
    socketDir: "/run/postgresql",
    logFile: "/var/log/postgresql/postgresql-15-main.log",
    control: `${clientBin}/pg_ctl`,
  };
}
