// Makes a fresh clone runnable, using nothing but Node: npm packages, the bundles and, as root on
// Debian, the OS packages of the test bed. `bootstrap.mjs packages` stops after the npm packages,
// `bootstrap.mjs root` refuses to go on without root.
// Starts and alters no server of the machine: Debian's own "main" cluster is not created, policy-rc.d
// forbids service starts for the length of the apt call (both settings are restored, whatever
// happens), and what came with it does not start at the next boot either.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

process.chdir(new URL("..", import.meta.url).pathname);

/**
 * OS packages of the test bed, each with a file that tells whether it is there. Without root the
 * hosts are loopback addresses, for which the last ones are of no use.
 */
const osPackages = [
  { name: "postgresql-15", file: "/usr/lib/postgresql/15/bin/postgres", service: "postgresql" },
  { name: "postgresql-client-15", file: "/usr/lib/postgresql/15/bin/pg_basebackup" },
  { name: "pgpool2", file: "/usr/sbin/pgpool", service: "pgpool2" },
  { name: "iputils-ping", file: "/usr/bin/ping" },
  { name: "openssl", file: "/usr/bin/openssl" },
  { name: "iproute2", file: "/usr/sbin/ip", forRoot: true },
  { name: "nftables", file: "/usr/sbin/nft", forRoot: true },
  {
    name: "libfaketime",
    file: "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    forRoot: true,
  },
  { name: "iputils-arping", file: "/usr/bin/arping", forRoot: true },
  { name: "sudo", file: "/usr/bin/sudo", forRoot: true },
  { name: "e2fsprogs", file: "/sbin/mkfs.ext4", forRoot: true },
  { name: "strace", file: "/usr/bin/strace", forRoot: true },
  { name: "psmisc", file: "/usr/bin/fuser", forRoot: true },
  { name: "cron", file: "/usr/sbin/cron", service: "cron", forRoot: true },
  { name: "systemd", file: "/lib/systemd/systemd", forRoot: true },
  { name: "systemd-container", file: "/usr/bin/systemd-nspawn", forRoot: true },
];

const isRoot = process.getuid?.() === 0;

try {
  if (process.argv[2] === "root" && !isRoot) {
    fail(77, "This needs root: its hosts are network namespaces. `npm test` needs none.");
  }
  installPackages();
  if (process.argv[2] !== "packages") {
    installOsPackages();
    run(process.execPath, [".ci/build.mjs"]);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = error.exitCode ?? 1;
}

function installPackages() {
  const stamp = "node_modules/.package-lock.json";
  const fresh =
    existsSync(stamp) && statSync(stamp).mtimeMs >= statSync("package-lock.json").mtimeMs;
  if (fresh) return;
  console.error("Installing the npm packages ...");
  run("npm", ["ci", "--loglevel=error"]);
  for (const name of ["postgres-10", "postgres-18"]) {
    const cwd = `node_modules/${name}`;
    if (existsSync(cwd)) run(process.execPath, ["scripts/hydrate-symlinks.js"], { cwd });
  }
}

function installOsPackages() {
  const missing = osPackages.filter(
    ({ file, forRoot }) => (isRoot || forRoot !== true) && !existsSync(file),
  );
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  const install = ["install", "-y", "--no-install-recommends", ...names];
  if (!existsSync("/usr/bin/apt-get")) {
    fail(69, `Missing: ${names.join(", ")}, and this is not Debian. Install them, then repeat.`);
  }
  if (!isRoot) {
    const line = `apt-get update && apt-get ${install.join(" ")}`;
    fail(
      69,
      `Missing OS packages: ${names.join(", ")}. As root, run this, then repeat:\n  ${line}`,
    );
  }
  // One that was there before (an older server's, say) is the machine's own and stays as it is.
  const newServices = missing.flatMap(({ service }) =>
    service === undefined || existsSync(`/lib/systemd/system/${service}.service`) ? [] : service,
  );
  console.error(`Installing the OS packages ${names.join(", ")} ...`);
  // A Ctrl-C ends apt, which is in the foreground too; this program goes on to restore what it replaced.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);
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
    run("apt-get", ["-qq", ...install], { env });
    if (newServices.length > 0 && existsSync("/usr/bin/systemctl")) {
      run("systemctl", ["disable", "--quiet", ...newServices]);
    }
  } finally {
    for (const undo of restore) undo();
  }
}

/** Writes a file and returns the function that puts back what was there. */
function replaceFile(path, content, mode) {
  const before = existsSync(path) ? readFileSync(path) : null;
  const beforeMode = before === null ? 0 : statSync(path).mode;
  const made = mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode });
  return () => {
    if (before !== null) writeFileSync(path, before, { mode: beforeMode });
    else rmSync(path, { force: true });
    // Where apt installed nothing, nobody else wants the folder.
    if (made !== undefined) spawnSync("rmdir", ["-p", "--ignore-fail-on-non-empty", dirname(path)]);
  };
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { stdio: ["ignore", 2, 2], ...options });
  if (result.status === 0) return;
  const how = result.error?.message ?? result.status ?? result.signal;
  fail(result.status || 1, `${command} ${args.join(" ")} ended with ${how}`);
}

function fail(exitCode, message) {
  throw Object.assign(new Error(message), { exitCode });
}
