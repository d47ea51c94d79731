// Bundles the programs: one ESM file each, runnable by Node 20 without node_modules
// (but for `libsql`, whose binary is loaded from its package by the coordinator).
import { build } from "esbuild";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

/**
 * Started by hand as by its unit. Node reads it before the first line of a program runs, so the shell, to which a quoted
 * colon is a command and to Node a string, has to set it.
 */
const agentStart = ["#!/bin/sh", '":" //; exec env UV_THREADPOOL_SIZE=16 node "$0" "$@"'];

const programs = [
  { entry: "agent/main.ts", out: "dist/castellan-agent.js", start: agentStart },
  { entry: "agent/root-helper/main.ts", out: "dist/castellan-root.js" },
  { entry: "agent/failover/main.ts", out: "dist/castellan-failover.js" },
  { entry: "coordinator/main.ts", out: "dist/castellan.js", external: ["libsql"] },
  // The same programs with the crash points of shared/crash-point.ts in them: for tests only.
  {
    entry: "agent/main.ts",
    out: "dist/test/castellan-agent.js",
    start: agentStart,
    crashPoints: true,
  },
  {
    entry: "coordinator/main.ts",
    out: "dist/test/castellan.js",
    external: ["libsql"],
    crashPoints: true,
  },
  { entry: "test/demo/main.ts", out: "dist/demo.js", external: ["libsql"] },
  { entry: "test/harness/load-generator/main.ts", out: "dist/load.js" },
  { entry: "test/bench/main.ts", out: "dist/bench.js", external: ["libsql"] },
  { entry: "test/walk/main.ts", out: "dist/walk.js", external: ["libsql"] },
  { entry: "test/soak/main.ts", out: "dist/soak.js", external: ["libsql"] },
  { entry: "test/matrix/main.ts", out: "dist/matrix.js", external: ["libsql"] },
];

await Promise.all(
  programs
    .filter(({ entry }) => existsSync(entry))
    .map(({ entry, out, start = ["#!/usr/bin/env node"], external = [], crashPoints = false }) =>
      build({
        entryPoints: [entry],
        outfile: out,
        bundle: true,
        platform: "node",
        format: "esm",
        target: "node20",
        sourcemap: "linked",
        legalComments: "none",
        define: { CASTELLAN_CRASH_POINTS: String(crashPoints) },
        // Removes what can never run, such as crash points outside test bundles.
        minifySyntax: true,
        // The source stays in memory: half a megabyte less beside a database.
        minifyWhitespace: start === agentStart,
        external: [...external, "pg-native", "bufferutil", "utf-8-validate"],
        // CommonJS packages inside an ESM bundle still call require().
        banner: {
          js: [
            ...start,
            'import { createRequire as __createRequire } from "node:module";',
            "const require = __createRequire(import.meta.url);",
          ].join("\n"),
        },
        logLevel: "warning",
      }).then(() => onlyAscii(out)),
    ),
);

/**
 * Outside ASCII there are only comments (esbuild escapes the rest). One such character makes Node keep the
 * whole text at two bytes a character: 2 MB more of a small agent. The length stays, so the map still fits.
 */
function onlyAscii(file) {
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(/\P{ASCII}/gu, "?"));
}
