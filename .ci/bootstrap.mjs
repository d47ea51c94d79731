// Makes a fresh clone runnable, using nothing but Node: npm packages, the bundles and, as root on
// Debian, the OS packages of the test bed. `bootstrap.mjs packages` stops after the npm packages.
// Starts and alters no server of the machine: Debian's own "main" cluster is not created and
// policy-rc.d forbids service starts for the length of the apt call; both settings are restored.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

process.chdir(new URL("..", import.meta.url).pathname);

/** OS packages of the test bed, each with a file that tells whether it is there. */
const osPackages = [
  ["postgresql-15", "/usr/lib/postgresql/15/bin/postgres"],
  ["postgresql-client-15", "/usr/lib/postgresql/15/bin/pg_basebackup"],
  ["pgpool2", "/usr/sbin/pgpool"],
  ["iproute2", "/usr/sbin/ip"],
  ["nftables", "/usr/sbin/nft"],
  ["iputils-ping", "/usr/bin/ping"],
  ["iputils-arping", "/usr/bin/arping"],
  ["sudo", "/usr/bin/sudo"],
  ["cron", "/usr/sbin/cron"],
  ["openssl", "/usr/bin/openssl"],
  ["systemd", "/lib/systemd/systemd"],
  ["systemd-container", "/usr/bin/systemd-nspawn"],
];

installPackages();
if (process.argv[2] !== "packages") {
  installOsPackages();
  run(process.execPath, [".ci/build.mjs"]);
}

function installPackages() {
  const stamp = "node_modules/.package-lock.json";
  const fresh =
    existsSync(stamp) && statSync(stamp).mtimeMs >= statSync("package-lock.json").mtimeMs;
  if (fresh) return;
  run("npm", ["ci", "--loglevel=error"]);
  for (const name of ["postgres-10", "postgres-18"]) {
    const cwd = `node_modules/${name}`;
    if (existsSync(cwd)) run(process.execPath, ["scripts/hydrate-symlinks.js"], { cwd });
  }
}

function installOsPackages() {
  const missing = osPackages.filter(([, file]) => !existsSync(file)).map(([name]) => name);
  if (missing.length === 0) return;
  const line = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  if (process.getuid?.() !== 0) {
    console.error(
      `Missing OS packages: ${missing.join(", ")}. As root, run:\n  apt-get update && ${line}`,
    );
    process.exit(69);
  }
  if (!existsSync("/usr/bin/apt-get")) {
    console.error(
      `Missing: ${missing.join(", ")}, and this is not Debian. Install them and run this again.`,
    );
    process.exit(69);
  }
  const restore = [
    replaceFile("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755),
    replaceFile(
      "/etc/postgresql-common/createcluster.d/castellan.conf",
      "create_main_cluster = false\n",
      0o644,
    ),
  ];
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    run("apt-get", ["update", "-qq"], { env });
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { env });
  } finally {
    for (const undo of restore) undo();
  }
}

/** Writes a file and returns the function that puts back what was there. */
function replaceFile(path, content, mode) {
  const before = existsSync(path) ? readFileSync(path) : null;
  const beforeMode = before === null ? 0 : statSync(path).mode;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode });
  return () => {
    if (before === null) rmSync(path, { force: true });
    else writeFileSync(path, before, { mode: beforeMode });
  };
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { stdio: ["ignore", 2, 2], ...options });
  if (result.status !== 0) {
    console.error(`${command} ${args.join(" ")} ended with ${result.status ?? result.signal}`);
    process.exit(result.status || 1);
  }
}
